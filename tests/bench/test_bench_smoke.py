"""Every bench runs from end to end, shortened to a few seconds; what it would measure is not looked at."""

from __future__ import annotations

import json

import pytest

from tests.bench.export_intake import FIGURES as INTAKE_FIGURES
from tests.bench.run import measure

PROMISED = {
    ("capture", "30"): {"cpu_ratio_ffmpeg_30", "unique_loss_pct_30"},
    ("capture", "60"): {"cpu_ratio_ffmpeg_60", "unique_loss_pct_60"},
    ("capture", "picture"): {"cpu_ratio_picture_30", "cpu_ratio_picture_60"},
    ("capture", "obs"): {"cpu_ratio_obs_30", "cpu_ratio_obs_30_per_frame"},
    ("capture", "rss"): {"rss_mib_300s", "cpu_s_per_s_300s"},
    ("clip", "30"): {"p95_ms_30s", "p95_ms_30s_with_wait", "av_offset_ms_max"},
    ("clip", "300"): {"p95_ms_300s", "cpu_ms_300s", "ffmpeg_copy_ms_300s", "cpu_ratio_ffmpeg_copy"},
    ("clip", "300live"): {"p95_ms_300s_live", "p95_ms_300s_live_with_wait"},
    ("clip", "exact"): {"frames_off_max"},
    ("clip", "obs"): {"obs_p95_ms"},
    ("export", "speed"): {
        *("cpu_ratio_ffmpeg_vertical", "cpu_ratio_ffmpeg_vertical_plain", "cpu_s_vertical_30s"),
        *("cpu_s_start", "size_ratio_ffmpeg_vertical"),
    },
    ("export", "copy"): {"cpu_s_copy_30s"},
    ("export", "presets"): {"four_presets_ratio", "four_shapes_ratio"},
    ("export", "size"): {
        *("size_fill_min", "size_over_limit", "size_tries_mean", "size_second_tries_share"),
    },
    ("export", "intake"): set(INTAKE_FIGURES),
    ("ring", "cost"): {
        "cpu_ms_per_s",
        "rss_mib_per_300s",
        "memory_cpu_ms_per_s",
        "memory_rss_mib_per_300s",
    },
    ("ring", "kills"): {"kills", "frames_lost_max", "newest_ms_lost_max"},
    ("ingest", "load"): {
        *("streams", "chunks_per_s", "p50_ack_ms", "p99_ack_ms", "max_ack_ms", "cpu_s_per_1000"),
        *(
            "postgres_cpu_s_per_1000",
            "kb_per_stream",
            "client_cpu_s_per_s",
            "server_processes",
            "client_late_p99_ms",
        ),
        *("load_unacked", "load_acked_twice", "load_refused", "load_reconnects", "load_not_in_database"),
        *("cpu_ratio_websocket", "websocket_cpu_s_per_1000", "websocket_postgres_cpu_s_per_1000"),
        *("websocket_p99_ack_ms", "websocket_kb_per_stream", "websocket_unacked"),
    },
    ("ingest", "herd"): {
        *("herd_streams", "herd_s", "herd_retries", "herd_restart_s", "herd_kill_restart_s"),
        *("herd_term_restart_s", "herd_unacked", "herd_refused"),
    },
    ("jobs", "overhead"): {
        *("cpu_ratio_bare", "cpu_ratio_bare_batch_stage", "cpu_s_per_1000", "bare_cpu_s_per_1000"),
        *("batch_stage_cpu_s_per_1000", "bare_batch_stage_cpu_s_per_1000"),
        *("bulk_jobs_per_s", "bare_bulk_jobs_per_s"),
    },
    ("jobs", "steady"): {
        *("p50_start_ms_200", "p99_start_ms_200", "steady_jobs_per_s", "steady_cpu_s_per_1000"),
    },
    ("jobs", "backlog"): {"critical_start_ms_100k", "critical_start_ms_0", "backlog_jobs_per_s"},
    ("jobs", "ceiling"): {"jobs_per_s_sustained", "jobs_per_s_per_core", "p99_start_ms_sustained"},
    ("jobs", "soak"): {
        *("soak_jobs_per_s", "soak_p99_start_ms", "soak_p99_start_ms_reader", "soak_p99_start_ms_after"),
        *(
            "soak_dead_tuples_max",
            "soak_dead_tuples_end",
            "soak_queue_mib_max",
            "soak_queue_mib_end",
            "soak_left",
        ),
    },
    ("speech", "batch"): {
        *("toy_cpu_s_per_window_1", "toy_cpu_s_per_window_4", "toy_cpu_s_per_window_16"),
        *("toy_cpu_s_per_window_32", "toy_windows_per_s_1", "toy_windows_per_s_16", "differing", "crossed"),
        *("tiny_cpu_s_per_window_1", "tiny_cpu_s_per_window_4", "tiny_cpu_s_per_window_16"),
    },
    ("speech", "gpu"): {"gpu_windows_per_s_1", "gpu_windows_per_s_16", "gpu_windows_per_s_64"},
    ("speech", "memory"): {"rss_mib_batch_200", "rss_mib_batch_2000", "memory_batches"},
    ("speech", "gate"): {"vad_cpu_s_per_media_hour", "rhythm_cpu_s_per_media_hour"},
    ("speech", "sphinx"): {"sphinx_wer", "sphinx_cpu_x_realtime"},
    ("sync", "slow"): {"drift_ms_6h", "rss_growth_mib_6h"},
    ("sync", "fast"): {"drift_ms_6h_fast", "rss_growth_mib_6h_fast"},
}


@pytest.mark.slow
@pytest.mark.desktop
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "part"), PROMISED)
def test_a_bench_measures_what_it_promises_or_says_why_not(name: str, part: str) -> None:
    # Six hours are long, even when hurried; and fifty agents are enough.
    found = measure(name, (part,), scale={"sync": 0.01, "ingest": 0.005}.get(name, 0.04))

    assert set(found["figures"]) == PROMISED[name, part]
    missing = {figure for figure, value in found["figures"].items() if value is None}
    assert {figure for figure in missing if not any(figure in note for note in found["notes"])} == set()
    assert json.loads(json.dumps(found))["name"] == name
