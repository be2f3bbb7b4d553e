"""docker-compose.yml, the Dockerfile and .env.example agree with the code and with each other."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from scripts.cli import app
from scripts.command.lazy import LazyCommand
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LASTING = {name: service for name, service in OURS.items() if service["restart"] != "no"}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
# Which role of the database each service of ours logs in as.
ROLES = {
    "migrate": "otzyv",
    "ingest": "otzyv_worker",
    "worker-cpu": "otzyv_worker",
    "worker-gpu": "otzyv_worker",
    "worker-llm": "otzyv_worker",
    "beat": "otzyv_worker",
    "trainer": "otzyv_trainer",
    "operator": "otzyv_operator",
}
SECRETS = {
    "RABBITMQ_PASSWORD": "rabbit1",
    "POSTGRES_PASSWORD": "postgres1",
    "POSTGRES_WORKER_PASSWORD": "worker-1",
    "POSTGRES_TRAINER_PASSWORD": "trainer1",
    "POSTGRES_OPERATOR_PASSWORD": "operator1",
    "OTZYV_FLOWER_BASIC_AUTH": "data:long-enough-1",
    "GRAFANA_PASSWORD": "grafana1",
}


class Stage:
    """One build stage: its base, and everything it runs or copies."""

    def __init__(self, base: str, name: str) -> None:
        self.base = base
        self.name = name
        self.steps: list[tuple[str, str]] = []


def build_stages() -> dict[str, Stage]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: dict[str, Stage] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if opened := re.fullmatch(r"FROM\s+(\S+)\s+AS\s+(\S+)\s*", line):
            stages[opened[2]] = Stage(opened[1], opened[2])
        elif line.strip():
            word, rest = line.split(maxsplit=1)
            [*stages.values()][-1].steps.append((word, rest))
    return stages


def lineage(target: str) -> list[Stage]:
    """A stage and the stages it is built upon, nearest first; copies are no part of it."""
    stages = build_stages()
    chain = []
    while target in stages:
        chain.append(stages[target])
        target = stages[target].base
    return chain


def contributors(target: str) -> Iterator[Stage]:
    """Every stage from which something ends in the image of `target`."""
    for stage in lineage(target):
        yield stage
        for word, rest in stage.steps:
            if word == "COPY" and (source := re.search(r"--from=(\S+)", rest)):
                yield from contributors(source[1])


def extras(target: str) -> set[str]:
    found: set[str] = set()
    for stage in contributors(target):
        for word, rest in stage.steps:
            if word == "RUN":
                found.update(re.findall(r"\.\[([\w,]+)\]", rest))
    return {extra for group in found for extra in group.split(",")}


def user(target: str) -> str | None:
    return next(
        (rest for stage in lineage(target) for word, rest in reversed(stage.steps) if word == "USER"), None
    )


def example_environment() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled_in(text: str, environment: dict[str, str]) -> str:
    """`text` with ${VAR}, ${VAR:-default} and ${VAR:?message} replaced as Compose does it."""

    def value(found: re.Match[str]) -> str:
        set_to = environment.get(found["name"], "")
        if set_to:
            return set_to
        if found["kind"] == "?":
            raise LookupError(f"{found['name']}: {found['rest']}")
        return found["rest"] or ""

    return VARIABLE.sub(value, text)


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def ports() -> list[tuple[str, str]]:
    return [(name, port) for name, service in SERVICES.items() for port in service.get("ports", [])]


def our_commands() -> list[tuple[str, list[str]]]:
    commands = [(name, service["command"]) for name, service in OURS.items()]
    for name, service in OURS.items():
        test = service["healthcheck"].get("test", [])
        if "otzyv" in test:
            commands.append((f"{name}-health", test[1:]))
    return commands


# --- commands and settings against the code -----------------------------------------------------------


@pytest.mark.parametrize(("where", "words"), our_commands(), ids=[name for name, _ in our_commands()])
def test_every_command_is_one_that_otzyv_understands(where: str, words: list[str]) -> None:
    assert words[0] == "otzyv"
    command: Any = typer.main.get_command(app)
    rest = words[1:]
    while hasattr(command, "commands"):
        assert rest, f"{where}: `{' '.join(words)}` names a group of commands, not a command"
        assert rest[0] in command.commands, f"{where}: `otzyv` has no command `{rest[0]}`"
        command, rest = command.commands[rest[0]], rest[1:]
        command = command.loaded() if isinstance(command, LazyCommand) else command
    # Parses options and arguments, refuses unknown or missing ones, runs nothing.
    command.make_context(command.name, list(rest))


def test_every_otzyv_variable_is_a_setting() -> None:
    used = {name for service in SERVICES.values() for name in environment_of(service)}
    used |= {found["name"] for found in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    used |= set(example_environment())
    known = {f"OTZYV_{field.upper()}" for field in Settings.model_fields}
    assert {name for name in used if name.startswith("OTZYV_")} <= known


@pytest.mark.parametrize("name", OURS)
def test_the_settings_accept_what_compose_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment_of(OURS[name]).items():
        monkeypatch.setenv(variable, filled_in(value, example_environment() | SECRETS))
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert settings.amqp_url == "amqp://otzyv:rabbit1@rabbitmq:5672//"


@pytest.mark.parametrize("name", OURS)
def test_each_service_logs_in_to_the_database_as_the_role_of_its_work(name: str) -> None:
    given = environment_of(OURS[name]).get("OTZYV_DATABASE_URL", "")
    url = filled_in(given, SECRETS)
    if name not in ROLES:
        assert not url
        return
    role = ROLES[name]
    passwords = {"otzyv": "postgres1", **{f"otzyv_{who}": word for who, word in logins().items()}}
    assert url == f"postgresql://{role}:{passwords[role]}@postgres:5432/otzyv"


def logins() -> dict[str, str]:
    """The passwords that the migration gives to roles."""
    given = environment_of(OURS["migrate"])["OTZYV_DATABASE_LOGINS"]
    found: dict[str, str] = json.loads(filled_in(given, SECRETS))
    return {who: password for who, password in found.items() if password}


def test_only_the_migration_has_the_owners_password_and_those_of_all_roles() -> None:
    assert logins() == {"worker": "worker-1", "trainer": "trainer1", "operator": "operator1"}
    holders = {
        name
        for name, service in OURS.items()
        if "POSTGRES_PASSWORD" in "".join(environment_of(service).values())
    }
    assert holders == {"migrate"}
    assert [name for name in OURS if "OTZYV_DATABASE_LOGINS" in environment_of(OURS[name])] == ["migrate"]


def test_flower_has_no_way_into_the_database_and_is_asked_for_its_own_health() -> None:
    assert not [name for name in environment_of(OURS["flower"]) if "DATABASE" in name]
    assert "POSTGRES" not in str(OURS["flower"])
    assert "5555/healthcheck" in OURS["flower"]["healthcheck"]["test"][-1]


def test_the_addresses_of_broker_and_database_match_their_services() -> None:
    rabbitmq, postgres = environment_of(SERVICES["rabbitmq"]), environment_of(SERVICES["postgres"])
    assert (
        rabbitmq["RABBITMQ_DEFAULT_USER"] == postgres["POSTGRES_USER"] == postgres["POSTGRES_DB"] == "otzyv"
    )
    assert filled_in(rabbitmq["RABBITMQ_DEFAULT_PASS"], SECRETS) == "rabbit1"
    assert filled_in(postgres["POSTGRES_PASSWORD"], SECRETS) == "postgres1"


# --- secrets and reach --------------------------------------------------------------------------------


def test_the_sample_environment_lists_exactly_the_variables_of_compose() -> None:
    used = {found["name"] for found in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())}
    assert used == set(example_environment())


def test_defaults_in_compose_and_in_the_sample_environment_agree() -> None:
    sample = example_environment()
    for found in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text()):
        if found["kind"] == "-":
            assert sample[found["name"]] == found["rest"]


@pytest.mark.parametrize("secret", SECRETS)
def test_compose_refuses_to_start_without_a_secret(secret: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert example_environment()[secret] == ""
    with pytest.raises(LookupError, match=rf"{secret}: set {secret} in \.env"):
        filled_in(text, example_environment() | SECRETS | {secret: ""})
    assert not [
        found["kind"] for found in VARIABLE.finditer(text) if found["name"] == secret and found["kind"] != "?"
    ]


@pytest.mark.parametrize(("name", "port"), ports())
def test_ports_are_published_on_loopback_unless_somebody_chooses_otherwise(name: str, port: str) -> None:
    assert filled_in(port, example_environment()).startswith("127.0.0.1:")


def test_flower_asks_for_a_password_and_stays_on_this_machine() -> None:
    flower = SERVICES["flower"]
    assert "OTZYV_FLOWER_BASIC_AUTH" in flower["environment"]
    listens_on = flower["environment"]["OTZYV_FLOWER_PORT"]
    assert flower["ports"] == [f"127.0.0.1:{listens_on}:{listens_on}"]
    others = [port for name, port in ports() if name != "flower"]
    assert not [port for port in others if port.endswith(f":{listens_on}")]


def test_the_env_file_itself_is_neither_committed_nor_copied_into_an_image() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().split()
    kept = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in kept
    assert {line for line in kept if line.startswith("!")} == {
        f"!{path}"
        for path in (
            "pyproject.toml",
            "constraints.txt",
            "README.md",
            "LICENSE",
            "workers",
            "shared",
            "scripts",
        )
    }


# --- services -----------------------------------------------------------------------------------------


def test_the_services_of_the_design_are_there() -> None:
    assert set(SERVICES) == {
        "rabbitmq", "postgres", "migrate", "ingest", "worker-cpu", "worker-gpu", "worker-llm", "trainer",
        "operator", "beat", "flower", "prometheus", "grafana",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ("migrate", "operator")])
def test_every_lasting_service_has_a_health_check_and_comes_back_after_a_crash(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["stop_grace_period"]


@pytest.mark.parametrize("name", LASTING)
def test_our_services_wait_for_the_migration_the_broker_and_the_database(name: str) -> None:
    conditions = {other: wait["condition"] for other, wait in LASTING[name]["depends_on"].items()}
    assert conditions == {
        "migrate": "service_completed_successfully",
        "rabbitmq": "service_healthy",
        "postgres": "service_healthy",
    }


def test_the_migration_runs_once_after_the_database_is_up() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith(("worker", "trainer"))])
def test_workers_are_asked_whether_they_work(name: str) -> None:
    assert OURS[name]["healthcheck"]["test"] == ["CMD", "otzyv", "health", "--worker"]


def test_what_people_decide_is_run_on_demand_and_sees_the_models() -> None:
    operator = SERVICES["operator"]
    assert (operator["profiles"], operator["restart"]) == (["operator"], "no")
    assert operator["volumes"] == SERVICES["worker-cpu"]["volumes"]


def test_a_worker_may_finish_its_task_before_it_is_killed() -> None:
    limit = Settings.model_fields["task_soft_limit_s"].default
    for name in ("worker-cpu", "worker-gpu", "worker-llm", "trainer"):
        assert int(OURS[name]["stop_grace_period"].removesuffix("s")) > limit


def test_a_language_model_elsewhere_can_be_asked_from_a_machine_without_a_gpu() -> None:
    service = SERVICES["worker-llm"]
    assert service["command"] == SERVICES["worker-gpu"]["command"]
    assert service["image"] == SERVICES["worker-cpu"]["image"]
    assert "deploy" not in service


def test_the_cpu_worker_can_be_scaled() -> None:
    assert not {"container_name", "ports", "hostname"} & set(SERVICES["worker-cpu"])


@pytest.mark.parametrize(("name", "profile"), [("worker-gpu", "gpu"), ("trainer", "training")])
def test_what_needs_a_gpu_reserves_one_and_starts_only_in_its_profile(name: str, profile: str) -> None:
    service = SERVICES[name]
    assert service["profiles"] == [profile]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_the_queue_has_somebody_who_takes_reviews_in_with_and_without_the_profile_ingest() -> None:
    judge_first = filled_in(environment_of(SERVICES["worker-cpu"])["OTZYV_JUDGE_FIRST"], {})
    assert judge_first == "true", "without it nobody consumes reviews.incoming by default"
    assert SERVICES["ingest"]["profiles"] == ["ingest"]
    assert environment_of(SERVICES["ingest"])["OTZYV_JUDGE_FIRST"] == "${OTZYV_JUDGE_FIRST:-true}"


def test_without_a_profile_nothing_needs_a_gpu_or_flower() -> None:
    plain = {name for name, service in OURS.items() if not service.get("profiles")}
    assert plain == {"migrate", "worker-cpu", "beat"}
    assert {OURS[name]["build"]["target"] for name in plain} == {"cpu"}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_by_tag(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert tag
    assert tag != "latest"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_more_rights_than_they_need(name: str) -> None:
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "user", "network_mode", "pid"} & set(OURS[name])


@pytest.mark.parametrize("name", SERVICES)
def test_logs_cannot_fill_the_disk(name: str) -> None:
    assert SERVICES[name]["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


def test_every_volume_in_use_is_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {name for name in used if not name.startswith("./")} == set(COMPOSE["volumes"])


def test_every_file_that_a_container_gets_to_see_is_there_and_cannot_be_changed_by_it() -> None:
    volumes = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [volume for volume in volumes if volume[0].startswith("./")]
    assert files
    for path, _, *options in files:
        assert (ROOT / path).is_file()
        assert options == ["ro"]


# --- monitoring ---------------------------------------------------------------------------------------


def test_prometheus_asks_every_lasting_process_at_the_port_it_serves() -> None:
    asked = yaml.safe_load((ROOT / "ops" / "prometheus.yml").read_text())
    (job,) = asked["scrape_configs"]
    (services,) = job["dns_sd_configs"]
    assert set(services["names"]) == set(LASTING) - {"flower"}
    for name in services["names"]:
        assert environment_of(SERVICES[name])["OTZYV_METRICS_PORT"] == str(services["port"])
    assert not [port for name, port in ports() if port.endswith(f":{services['port']}")]


def test_exactly_the_processes_that_run_without_a_profile_are_missed_by_the_alerts() -> None:
    (group,) = yaml.safe_load((ROOT / "ops" / "alerts.yml").read_text())["groups"]
    (missing,) = (rule["expr"] for rule in group["rules"] if rule["alert"] == "OtzyvProcessMissing")
    always = {name for name, service in LASTING.items() if not service.get("profiles")}
    assert set(re.findall(r'absent\(up\{job="otzyv", service="([\w-]+)"\}\)', missing)) == always


@pytest.mark.parametrize("name", ["prometheus", "grafana", "flower"])
def test_monitoring_is_started_only_on_demand(name: str) -> None:
    assert SERVICES[name]["profiles"] == ["monitoring"]


def test_grafana_finds_its_data_source_and_its_dashboard() -> None:
    (source,) = yaml.safe_load((ROOT / "ops" / "grafana" / "datasource.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((ROOT / "ops" / "grafana" / "dashboards.yml").read_text())["providers"]
    inside = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/otzyv.json" in inside


# --- images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_every_build_target_exists(name: str) -> None:
    assert OURS[name]["build"]["target"] in build_stages()
    assert OURS[name]["image"] == f"otzyv:{OURS[name]['build']['target']}"


def test_the_default_image_is_the_cpu_image() -> None:
    assert [*build_stages()][-1] == "cpu"


@pytest.mark.parametrize(
    ("target", "expected"), [("cpu", set()), ("gpu", {"gpu"}), ("monitoring", {"monitoring"})]
)
def test_an_image_holds_only_its_own_extras(target: str, expected: set[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras(target) == expected
    assert expected <= set(project["optional-dependencies"])


@pytest.mark.parametrize("target", ["cpu", "gpu", "monitoring"])
def test_images_do_not_run_as_root(target: str) -> None:
    who = user(target)
    assert who is not None
    assert who.split(":")[0] not in {"root", "0"}


@pytest.mark.parametrize("target", ["cpu", "gpu", "monitoring"])
def test_images_are_built_on_a_pinned_python_without_build_tools(target: str) -> None:
    chain = lineage(target)
    assert re.fullmatch(r"python:3\.\d+-slim", chain[-1].base)
    installs = [rest for stage in chain for word, rest in stage.steps if word == "RUN" and "install " in rest]
    assert not [rest for rest in installs if re.search(r"\b(apt-get|pip|gcc)\b", rest)]


def test_every_installed_dependency_is_pinned() -> None:
    runs = [rest for stage in build_stages().values() for word, rest in stage.steps if word == "RUN"]
    installs = [rest for rest in runs if re.search(r"\bpip\b.* install ", rest)]
    assert installs
    assert not [
        rest for rest in installs if "--constraint constraints.txt" not in rest and "--no-deps" not in rest
    ]


def test_output_is_not_buffered_and_signals_reach_the_process() -> None:
    steps = [step for stage in lineage("cpu") for step in stage.steps]
    assert any(word == "ENV" and "PYTHONUNBUFFERED=1" in rest for word, rest in steps)
    assert all(rest.startswith("[") for word, rest in steps if word in {"CMD", "ENTRYPOINT"})
