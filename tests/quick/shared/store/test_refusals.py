"""Sentences of servers that let nobody in, in the languages they speak, and what a person is told to do."""

from __future__ import annotations

import psycopg2
import pytest

from shared.errors import ConfigurationError, DatabaseUnavailable
from shared.store.postgres.database import translate

# As PostgreSQL 15.20 says them, with lc_messages of C and of ru_RU.UTF-8.
REFUSED = [
    ('FATAL:  database "nodb" does not exist', "create it"),
    ('ВАЖНО:  база данных "nodb" не существует', "create it"),
    ('ВАЖНО:  роль "ghost" не существует', "create it"),
    ('FATAL:  role "nologin" is not permitted to log in', "give it a password"),
    ('ВАЖНО:  для роли "nologin" вход запрещён', "give it a password"),
    ('FATAL:  password authentication failed for user "app"', "correct OTZYV_DATABASE_URL"),
    ('ВАЖНО:  пользователь "app" не прошёл проверку подлинности (по паролю)', "correct OTZYV_DATABASE_URL"),
    ("fe_sendauth: no password supplied", "correct OTZYV_DATABASE_URL"),
    ("server does not support SSL, but SSL was required", "correct OTZYV_DATABASE_URL"),
    ('FATAL:  unrecognized configuration parameter "nosuch"', "correct OTZYV_DATABASE_URL"),
    ('ВАЖНО:  нераспознанный параметр конфигурации: "nosuch"', "correct OTZYV_DATABASE_URL"),
    (
        'FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "app", database "otzyv", no encryption',
        "pg_hba",
    ),
    (
        'ВАЖНО:  в pg_hba.conf нет записи для компьютера "10.0.0.7", пользователя "app", базы "otzyv"',
        "pg_hba",
    ),
    ('FATAL:  pg_hba.conf rejects connection for host "10.0.0.7", user "app", database "otzyv"', "pg_hba"),
    ('ВАЖНО:  pg_hba.conf отвергает подключение: компьютер "10.0.0.7", пользователь "app"', "pg_hba"),
    ('FATAL:  permission denied for database "otzyv"', "grant CONNECT"),
    ('ВАЖНО:  доступ к базе "otzyv" запрещён', "grant CONNECT"),
    ("FATAL:  database locale is incompatible with operating system", "install the locale"),
    ("ВАЖНО:  локаль БД несовместима с операционной системой", "install the locale"),
    ("FATAL:  unsupported startup parameter: options", "ignore_startup_parameters"),
]
PASSING = [
    "Connection refused",
    "FATAL:  the database system is starting up",
    "ВАЖНО:  система баз данных запускается",
    "FATAL:  sorry, too many clients already",
    'ВАЖНО:  слишком много подключений для роли "app"',
    'FATAL:  database "otzyv" is not currently accepting connections',
]


def failed(sentence: str) -> psycopg2.OperationalError:
    return psycopg2.OperationalError(f'connection to server at "10.0.0.1", port 5432 failed: {sentence}\n')


@pytest.mark.parametrize(("sentence", "remedy"), REFUSED)
def test_a_refusal_that_a_person_has_to_end_is_a_wrong_set_up_in_every_language(sentence, remedy):
    error = translate(failed(sentence))
    assert type(error) is ConfigurationError
    assert sentence in str(error)
    assert remedy in str(error).partition(sentence)[2]


@pytest.mark.parametrize("sentence", PASSING)
def test_what_may_pass_is_tried_again(sentence):
    assert type(translate(failed(sentence))) is DatabaseUnavailable
