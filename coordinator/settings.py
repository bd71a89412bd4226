"""What an operator can set, as values; `coordinator.config` reads and checks them."""

from __future__ import annotations

import ipaddress
from typing import Literal

import msgspec

from coordinator.errors import InputUnusable

STAGES = ("media", "transcribe", "ai", "clip", "export", "maintenance")


class Endpoint(msgspec.Struct, frozen=True):
    """Where we listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`host:port` of the agents' link, of the pages, and of signed files.

    The pages stay on this machine: they ask nobody who he is. `files` empty: signed files are served with the pages;
    set it where agents or workers are on other machines. It speaks TLS, as the link does.
    """

    grpc: str = "127.0.0.1:7843"
    web: str = "127.0.0.1:7844"
    files: str = ""

    @property
    def grpc_endpoint(self) -> Endpoint:
        return parse_endpoint("listen.grpc", self.grpc)

    @property
    def web_endpoint(self) -> Endpoint:
        return parse_endpoint("listen.web", self.web, is_loopback_only=True)

    @property
    def files_endpoint(self) -> Endpoint | None:
        return parse_endpoint("listen.files", self.files) if self.files else None


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Certificates. `certificate_file` and `key_file` empty: our own authority's, for `names` and loopback.

    Files that are renewed are taken up without a restart. `client_ca_file`: agents must show a certificate of this
    authority, too.
    """

    certificate_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    names: tuple[str, ...] = ()


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may speak. `secret_file` empty: made in the data directory; the processes of a fleet share one.

    Attributes:
        name: how this coordinator calls itself when an agent pairs.
        access_minutes: how long an access token counts.
        code_minutes: how long a pairing code counts.
    """

    name: str = "Clippy coordinator"
    secret_file: str = ""
    access_minutes: float = 15.0
    code_minutes: float = 10.0


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one account may use at once, by tier; 0 is no limit. The owner of a machine has business's.

    Attributes:
        free_streams, pro_streams, business_streams: agents connected at once.
        free_bytes_per_s, ...: taken from one account over the link, averaged over a minute.
        free_proxy_bps, ...: of the small picture (360p), taken from each agent; under 40,000 it sends none.
        chunks_per_s: taken from one account at its fastest, so that a burst leaves room for others.
        pending_bytes, total_pending_bytes: received and not yet durable, of one account and of all in a process.
    """

    free_streams: int = 2
    pro_streams: int = 4
    business_streams: int = 32
    free_bytes_per_s: int = 100_000
    pro_bytes_per_s: int = 500_000
    business_bytes_per_s: int = 2_000_000
    free_proxy_bps: int = 0
    pro_proxy_bps: int = 0
    business_proxy_bps: int = 0
    chunks_per_s: int = 32
    pending_bytes: int = 32 * 1024**2
    total_pending_bytes: int = 256 * 1024**2


NO_LIMITS = Limits(
    free_streams=0,
    pro_streams=0,
    business_streams=0,
    free_bytes_per_s=0,
    pro_bytes_per_s=0,
    business_bytes_per_s=0,
    chunks_per_s=0,
)


class Serve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How agents are served.

    Attributes:
        processes: that share the ports; 0 is one under `all`, and two for `serve` by itself where the platform can.
        public_files_url: where agents and workers reach `listen.files`, e.g. https://clippy.example:7845; empty: by the
            address it listens on.
        max_connection_age_s: a stream is asked to connect anew after so long, so that new nodes get their share;
            0 is never.
        drain_s: how long a process that stops waits for its streams to leave.
        dead_peer_s: a stream that says nothing is ended after so long.
    """

    processes: int = 0
    public_files_url: str = ""
    max_connection_age_s: float = 0.0
    drain_s: float = 5.0
    dead_peer_s: float = 25.0


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PostgreSQL. `url` empty: an embedded server in the data directory.

    Attributes:
        max_connections: of one process's pool. 5 and not 20: the seven processes of `all` with 20 each would pass the
            100 of the embedded server; in a fleet all processes together at 2 to 4 times the server's cores.
        idle_s: a connection that nobody used for so long is closed.
        connect_s: how long one attempt to connect may take; attempts go on for 30 s. 5 and not 2: the first start of
            the embedded server took 3.1-5.1 s. A fleet's server is there already: 2.
    """

    url: str = ""
    max_connections: int = 5
    idle_s: float = 30.0
    connect_s: float = 5.0


class Objects(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where objects go. `kind` local: a folder in the data directory."""

    kind: Literal["local", "s3"] = "local"
    bucket: str = ""
    endpoint: str = ""
    region: str = "auto"
    access_key_id: str = ""
    secret_access_key: str = ""


class Asr(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Speech recognition. `model_dir` empty: `models` in the data directory.

    Attributes:
        allow_download: may `models fetch` fetch one; nothing else does.
        remote_url: for the engine `remote`: an OpenAI-compatible address, e.g. https://api.openai.com/v1.
        remote_key: else `CLIPPY_ASR_KEY`, else the first line of `remote_key_file`.
        remote_timeout_s: an answer about one window has to begin within it.
    """

    engine: Literal["auto", "faster-whisper", "pocketsphinx", "remote"] = "auto"
    model: str = "base"
    grammar_file: str = ""
    allow_download: bool = True
    model_dir: str = ""
    remote_url: str = ""
    remote_model: str = "whisper-1"
    remote_key: str = ""
    remote_key_file: str = ""
    remote_timeout_s: float = 20.0


class LlmProvider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A language model behind an OpenAI-compatible address.

    What is left out (empty, or -1) is taken from the preset of that name: groq, openai or local.

    Attributes:
        api_key: else `CLIPPY_LLM_<NAME>_KEY`, else the first line of `api_key_file`.
        rpm, tpm, rpd: the account's quota of requests and tokens a minute and requests a day; 0 is no limit. We stay
            5 % below it.
        usd_per_million_in, usd_per_million_out: price of tokens.
        schema_mode: how it is told the form of its answer; the form is checked here in any case.
        timeout_s: an answer has to begin within it.
        max_context_tokens: question and answer together.
    """

    name: str
    base_url: str = ""
    api_key: str = ""
    api_key_file: str = ""
    model: str = ""
    rpm: int = -1
    tpm: int = -1
    rpd: int = -1
    usd_per_million_in: float = -1
    usd_per_million_out: float = -1
    schema_mode: Literal["", "json_schema", "json_object", "none"] = ""
    timeout_s: float = -1
    max_context_tokens: int = -1


class Llm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Language models that rank moments and write titles: asked in this order; none is needed.

    Attributes:
        free_usd_per_day, ...: what all accounts of a tier may cost together on one day (UTC); 0: only providers whose
            price is 0 are asked.
        windows_per_call: at most so many windows in one question, and so many looks for moments in one batch.
        share_calls: let windows of several accounts of one tier share a question, whose titles are then not used. A
            person in one chat may then reach another account's scores, within what a model may move (ADR 25).
        gate_min_score: windows whose best candidate scores less are never asked about; near the limits it rises, for
            the free tier first.
    """

    providers: tuple[LlmProvider, ...] = ()
    free_usd_per_day: float = 1.0
    pro_usd_per_day: float = 5.0
    business_usd_per_day: float = 20.0
    windows_per_call: int = 10
    share_calls: bool = False
    gate_min_score: float = 0.0


class AutoExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which moments become posts by themselves: from `min_score` on, at most `per_hour` a session.

    `are_presses_exported`: every press's clip becomes a post too; else only those of a session without a moment.
    `layout`: one of `layouts list`; empty: as the preset says.
    """

    min_score: float = 0.5
    preset: str = "vertical"
    layout: str = ""
    per_hour: int = 12
    are_presses_exported: bool = True


class Export(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How posts look whose account has not said otherwise.

    Attributes:
        caption_style: a name in `media/captions/styles.toml`.
        profanity: `mask` leaves the first letter of a swear word in captions and in titles that are shown.
        is_title_shown: the moment's title is drawn on a post's first seconds, where its preset has room for one.
    """

    caption_style: str = "pop"
    is_title_shown: bool = False
    profanity: Literal["keep", "mask"] = "keep"


class Workers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many jobs of each stage one worker process runs at once, and how jobs are held.

    Attributes:
        media, export: 1 and not 5: one export uses a core, so five at once on two cores wait for each other. On bigger
            machines one a core.
        transcription_batch: 16 and not 10: a batch gains nothing on a CPU and fills a GPU better; what is there is
            taken, nobody waits for more.
        lease_s: a job whose worker was not heard of for so long is taken by another.
        grace_s: how long a worker that is asked to stop may finish what it runs.
        max_rss_mib: a worker that itself holds more ends in order and is started afresh; 0: no bound.
        places: the kinds of worker that this one is, the one whose jobs come first first; `any` takes what no place is
            named for.
    """

    media: int = 1
    transcribe: int = 1
    ai: int = 2
    clip: int = 2
    export: int = 1
    maintenance: int = 1
    transcription_batch: int = 16
    lease_s: float = 30.0
    grace_s: float = 20.0
    reconcile_s: float = 30.0
    cleanup_s: float = 60.0
    max_rss_mib: int = 0
    places: tuple[str, ...] = ("any",)

    def concurrency(self, stage: str) -> int:
        """Jobs at once in one process of a stage."""
        return int(getattr(self, stage))


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours until what was not kept expires, by tier; 0 is never. The one account `owner` never expires."""

    free_hours: float = 12
    pro_hours: float = 48
    business_hours: float = 168

    @property
    def hours_by_tier(self) -> dict[str, float]:
        """The same, by the name of the tier."""
        return {"free": self.free_hours, "pro": self.pro_hours, "business": self.business_hours}


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`format` auto: console on a terminal, else JSON. `keep_personal_data`: `pii_` keys stay in."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    keep_personal_data: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. `node` names this machine in chunks' places; `roll_up_s` is one object's share of a session."""

    node: str = "local"
    roll_up_s: float = 300.0
    listen: Listen = Listen()
    tls: Tls = Tls()
    identity: Identity = Identity()
    limits: Limits = Limits()
    serve: Serve = Serve()
    database: Database = Database()
    objects: Objects = Objects()
    asr: Asr = Asr()
    llm: Llm = Llm()
    auto_export: AutoExport = AutoExport()
    export: Export = Export()
    workers: Workers = Workers()
    retention: Retention = Retention()
    log: Log = Log()


def parse_endpoint(name: str, text: str, *, is_loopback_only: bool = False) -> Endpoint:
    """Read `host:port`.

    Raises:
        InputUnusable: It is not one, or not on this machine alone where it must be.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise InputUnusable(f"{name} = {text!r} is not host:port, e.g. 127.0.0.1:7843")
    if is_loopback_only and not is_loopback(host):
        raise InputUnusable(
            f"{name} = {text!r} is open to other machines; the pages ask nobody who he is, so they listen on "
            f"127.0.0.1, ::1 or localhost only"
        )
    return Endpoint("127.0.0.1" if host == "localhost" else host, int(port))


def place_named(text: str) -> str:
    """A kind of worker as people write it; `any` is the one without a name.

    Raises:
        InputUnusable: It is no name.
    """
    if text == "any":
        return ""
    is_name = text.isascii() and text.replace("-", "").isalnum() and text == text.lower()
    if not is_name or len(text) > 32 or text.startswith("-"):
        raise InputUnusable(
            f"{text[:80]!r} is no place; give any, or a name of at most 32 lower-case letters, digits and dashes"
        )
    return text


def is_loopback(host: str) -> bool:
    """Is this a name or address that only this machine reaches?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
