"""The committed stubs are what the .proto files say."""

from __future__ import annotations

import os

import pytest

from protos.generate import stale_stubs


def test_the_committed_stubs_are_what_the_proto_files_generate(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    # The generator puts its own folder on PATH; the next test should not find it there.
    monkeypatch.setenv("PATH", os.environ.get("PATH", ""))

    assert stale_stubs() == []
