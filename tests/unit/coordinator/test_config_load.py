"""The coordinator's configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coordinator.config import describe, find_data, load_config
from coordinator.errors import InputUnusable
from coordinator.settings import Config, parse_endpoint


def test_without_file_and_variables_the_defaults_hold(tmp_path: Path):
    config = load_config(tmp_path, environment={})

    assert config == Config()
    assert (str(config.listen.grpc_endpoint), str(config.listen.web_endpoint)) == (
        "127.0.0.1:7843",
        "127.0.0.1:7844",
    )


def test_a_variable_overrides_the_file(tmp_path: Path):
    (tmp_path / "coordinator.toml").write_text('roll_up_s = 60\n[asr]\nengine = "faster-whisper"\n')

    config = load_config(
        tmp_path, environment={"CLIPPY_COORDINATOR_ASR__ENGINE": "pocketsphinx", "HOME": "/x"}
    )

    assert (config.roll_up_s, config.asr.engine) == (60, "pocketsphinx")


def test_variables_are_read_as_the_type_of_their_setting(tmp_path: Path):
    environment = {
        "CLIPPY_COORDINATOR_ASR__ALLOW_DOWNLOAD": "false",
        "CLIPPY_COORDINATOR_WORKERS__EXPORT": "3",
        "CLIPPY_COORDINATOR_AUTO_EXPORT__MIN_SCORE": "0.25",
    }

    config = load_config(tmp_path, environment=environment)

    assert (config.asr.allow_download, config.workers.export, config.auto_export.min_score) == (
        False,
        3,
        0.25,
    )


def test_a_secret_may_stand_in_a_file(tmp_path: Path):
    (tmp_path / "url").write_text("postgresql://u:p@db/clippy\n")

    config = load_config(
        tmp_path, environment={"CLIPPY_COORDINATOR_DATABASE__URL_FILE": str(tmp_path / "url")}
    )

    assert config.database.url == "postgresql://u:p@db/clippy"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"CLIPPY_COORDINATOR_ASR__ENGIN": "auto"}, "did you mean CLIPPY_COORDINATOR_ASR__ENGINE"),
        ({"CLIPPY_COORDINATOR_ROLLUP_S": "1"}, "did you mean CLIPPY_COORDINATOR_ROLL_UP_S"),
        ({"CLIPPY_COORDINATOR_ASR": "auto"}, "unknown variable CLIPPY_COORDINATOR_ASR"),
        ({"CLIPPY_COORDINATOR_ROLL_UP_S__X": "1"}, "unknown variable"),
        ({"CLIPPY_COORDINATOR_ASR__ENGINE": "siri"}, "siri"),
        ({"CLIPPY_COORDINATOR_ROLL_UP_S": "soon"}, "roll_up_s"),
        ({"CLIPPY_COORDINATOR_WORKERS__CLIP": "0"}, "workers.clip = 0 is not 1..64"),
        ({"CLIPPY_COORDINATOR_LISTEN__WEB": "0.0.0.0:7844"}, "open to other machines"),
        ({"CLIPPY_COORDINATOR_LISTEN__WEB": "clips.example:7844"}, "open to other machines"),
        ({"CLIPPY_COORDINATOR_LISTEN__WEB": "7844"}, "is not host:port"),
        ({"CLIPPY_COORDINATOR_LISTEN__WEB": "127.0.0.1:99999"}, "is not host:port"),
        ({"CLIPPY_COORDINATOR_LISTEN__WEB": "127.0.0.1:7843"}, "different ports"),
        ({"CLIPPY_COORDINATOR_DATABASE__URL_FILE": "/nowhere"}, "URL_FILE"),
        ({"CLIPPY_COORDINATOR_CONFIG": "/nowhere.toml"}, "/nowhere.toml"),
        ({"CLIPPY_COORDINATOR_NODE": "../up"}, "node"),
        ({"CLIPPY_COORDINATOR_NODE": "n" * 61}, "at most 60"),
        ({"CLIPPY_COORDINATOR_LISTEN__FILES": "0.0.0.0:7845"}, "set serve.public_files_url"),
        ({"CLIPPY_COORDINATOR_SERVE__PUBLIC_FILES_URL": "https://clips.example"}, "set listen.files"),
        ({"CLIPPY_COORDINATOR_OBJECTS__KIND": "s3"}, "objects.bucket"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(tmp_path: Path, environment: dict[str, str], said: str):
    with pytest.raises(InputUnusable) as caught:
        load_config(tmp_path, environment=environment)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[asr]\nengin = 'auto'\n", "did you mean asr.engine"),
        ("asr = 3\n", "asr"),
        ("roll_up_s = \n", "cannot read"),
        ("[database]\nurl = 3\n", "database.url"),
        ("[[llm.providers]]\nname = 'groq'\nkey = 'x'\n", "key"),
        ("[[llm.providers]]\nname = 'groq'\n[[llm.providers]]\nname = 'groq'\n", "different names"),
        ("[llm]\nwindows_per_call = 0\n", "llm.windows_per_call = 0"),
        ("[auto_export]\npreset = 'preview'\n", "auto_export.preset = 'preview' is not one of discord,"),
        ("[export]\ncaption_style = 'neon'\n", "'neon' is not one of calm, clean, karaoke, one-word, pop"),
        ("[export]\nprofanity = 'hide'\n", "export.profanity"),
        ("[retention]\nfree_hours = -1\n", "retention.free_hours = -1.0 is not 0 (never) .. 87600"),
        ("[retention]\npro_hours = nan\n", "retention.pro_hours = nan"),
    ],
)
def test_a_wrong_file_is_told_by_what_is_wrong(tmp_path: Path, text: str, said: str):
    (tmp_path / "coordinator.toml").write_text(text)

    with pytest.raises(InputUnusable) as caught:
        load_config(tmp_path, environment={})

    assert said in str(caught.value)


def test_a_chain_of_language_models_is_read_and_its_keys_are_not_told(tmp_path: Path):
    (tmp_path / "coordinator.toml").write_text(
        "[[llm.providers]]\nname = 'groq'\napi_key = 'gsk_secret'\n[[llm.providers]]\nname = 'local'\n"
    )

    config = load_config(tmp_path, environment={"CLIPPY_COORDINATOR_LLM__FREE_USD_PER_DAY": "2.5"})
    told = describe(config)["llm"]

    assert [provider.name for provider in config.llm.providers] == ["groq", "local"]
    assert config.llm.free_usd_per_day == 2.5
    assert [provider["api_key"] for provider in told["providers"]] == ["(set)", ""]


def test_what_config_check_prints_holds_no_secret(tmp_path: Path):
    environment = {
        "CLIPPY_COORDINATOR_DATABASE__URL": "postgresql://u:hunter2@db/clippy",
        "CLIPPY_COORDINATOR_OBJECTS__SECRET_ACCESS_KEY": "hunter2",
        "CLIPPY_COORDINATOR_ASR__REMOTE_KEY": "hunter2",
    }

    text = json.dumps(describe(load_config(tmp_path, environment=environment)))

    assert "hunter2" not in text
    assert "(set)" in text


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("localhost:1", "127.0.0.1", 1), ("[::1]:0", "::1", 0), ("127.3.2.1:65535", "127.3.2.1", 65535)],
)
def test_addresses_of_this_machine_are_taken(text: str, host: str, port: int):
    endpoint = parse_endpoint("listen.web", text)

    assert (endpoint.host, endpoint.port) == (host, port)


def test_the_data_directory_is_as_asked_before_the_variable(tmp_path: Path):
    environment = {"CLIPPY_COORDINATOR_DATA": "/from/variable"}

    assert find_data(tmp_path, environment) == tmp_path
    assert find_data(None, environment) == Path("/from/variable")
    assert find_data(None, {}).is_absolute()
