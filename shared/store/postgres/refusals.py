"""Why a server lets nobody in, and what a person does about it: no class of the driver tells that, only words.

A server speaks the language of its `lc_messages`: English and Russian are known here. What is not known is taken for a
server that is away, and tried again.
"""

from __future__ import annotations

from typing import Final

_CREATE: Final = "create it, or correct OTZYV_DATABASE_URL"
_CORRECT: Final = "correct OTZYV_DATABASE_URL"
_LOGIN: Final = "give it a password with OTZYV_DATABASE_LOGINS and `otzyv db upgrade`"
_ENTRY: Final = "let it in by a line of the server's pg_hba.conf, or correct OTZYV_DATABASE_URL"
_CONNECT: Final = "grant CONNECT on it, or correct OTZYV_DATABASE_URL"

_REMEDIES: Final = {
    "not permitted to log in": _LOGIN,
    "вход запрещён": _LOGIN,
    "no pg_hba.conf entry": _ENTRY,
    "в pg_hba.conf нет записи": _ENTRY,
    "pg_hba.conf rejects": _ENTRY,
    "pg_hba.conf отвергает": _ENTRY,
    "permission denied for database": _CONNECT,
    "доступ к базе": _CONNECT,
    "authentication failed": _CORRECT,
    "не прошёл проверку подлинности": _CORRECT,
    "no password supplied": _CORRECT,
    "does not support SSL": _CORRECT,
    "unrecognized configuration parameter": _CORRECT,
    "нераспознанный параметр конфигурации": _CORRECT,
    "unsupported startup parameter": "a PgBouncer is in between: name the parameter in its ignore_startup_parameters, "
    "or PostgreSQL itself in OTZYV_DATABASE_URL",
    "locale is incompatible": "install the locale of its data on this machine, or choose another database",
    "локаль БД несовместима": "install the locale of its data on this machine, or choose another database",
    "does not exist": _CREATE,
    "не существует": _CREATE,
}
"""What to do by words of the sentence; the first that is found counts."""


def told(sentence: str) -> str | None:
    """A refused connection with what a person has to do about it; None where trying again may help."""
    if "connection option" in sentence:
        return f"OTZYV_DATABASE_URL: {sentence}; correct it"
    remedy = next((remedy for words, remedy in _REMEDIES.items() if words in sentence), None)
    return remedy and f"database: {sentence}; {remedy}"
