"""A Hub in this process of which one answer is changed, cut, late or an error."""

import contextlib
import functools
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from _helpers.hub_server import HubServer
from _helpers.small_model import network, safetensors

REPOSITORY = "lab/small"
CONFIG = {
    "architecture": "small",
    "arguments": {"width": 5},
    "weights": {
        "task": "derain",
        "licence": {"name": "A licence", "commercial": False, "url": "https://example.org"},
        "training_data": "rain",
        "trained_by": "the lab",
        "source": "a paper",
        "metrics": [],
    },
}
ANSWERS = {"api.json": "/api/models/", "config.json": "/config.json", "weights.safetensors": "/model.safetensors"}
RULES = {name: {"status": 200, "cut": 1.0, "times": 1, "slow": False, "headers": {"Retry-After": "1"}} for name in ANSWERS}


def addresses(hub: HubServer) -> dict[str, str]:
    resolve = f"/{REPOSITORY}/resolve/main"
    return {
        "api.json": f"/api/models/{REPOSITORY}",
        "config.json": f"{resolve}/config.json",
        "weights.safetensors": f"{resolve}/model.safetensors",
    }


@contextlib.contextmanager
def published() -> Iterator[HubServer]:
    with HubServer() as hub:
        hub.add(REPOSITORY, {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": safetensors(network(width=5))})
        yield hub


@contextlib.contextmanager
def asked(server: HubServer, path: Path) -> Iterator[None]:
    """Let huggingface_hub ask a server in this process, which changes one answer, or follows rules."""
    import huggingface_hub

    web = _web()
    content = path.read_bytes()
    try:
        rules = json.loads(content) if path.name == "rules.json" else {}
    except (ValueError, RecursionError):
        rules = {}

    def answer(request: Any) -> Any:
        target = request.url.raw_path.decode()
        found = server.respond(request.method, target, request.headers, request.read())
        body, status, headers = found.body, found.status, dict(found.headers)
        name = next((name for name, part in ANSWERS.items() if part in target), "")
        if name == path.name and request.method == "GET":
            body = content
        rule = rules.get(name) if isinstance(rules, dict) else None
        if isinstance(rule, dict) and isinstance(rule.get("times"), int) and rule["times"] > 0:
            rule["times"] -= 1
            status = rule["status"] if rule.get("status") in range(200, 600) else status
            headers |= {
                str(k): str(v)
                for k, v in (rule["headers"] if isinstance(rule.get("headers"), dict) else {}).items()
                if str(v).isascii() and str(k).isalpha()
            }
            if isinstance(cut := rule.get("cut"), float) and 0 <= cut < 1:
                body = body[: int(cut * len(body))]
            if rule.get("slow"):
                raise web.ReadTimeout("late", request=request)
        return web.Response(status, headers=headers, content=b"" if request.method == "HEAD" else body)

    hook = huggingface_hub.utils._http.hf_request_event_hook
    client = functools.partial(
        web.Client, event_hooks={"request": [hook]}, follow_redirects=True, verify=False
    )  # certificates take long
    huggingface_hub.set_client_factory(lambda: client(transport=web.MockTransport(answer)))
    try:
        yield
    finally:
        huggingface_hub.set_client_factory(huggingface_hub.utils._http.default_client_factory)


@functools.cache
def _web() -> Any:
    import huggingface_hub

    return __import__(type(huggingface_hub.get_session()).__module__.partition(".")[0])  # httpx or httpx2


@contextlib.contextmanager
def own_cache(home: Path) -> Iterator[None]:
    from huggingface_hub import constants

    settings = {"HF_HUB_OFFLINE": False, "HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_DISABLE_XET": True}
    with patch.multiple(constants, **settings), patch("time.sleep"), patch.dict(os.environ, RESTOREKIT_HOME=str(home / "own")):
        logging.getLogger("huggingface_hub").disabled = logging.getLogger("restorekit").disabled = True
        try:
            yield
        finally:
            logging.getLogger("huggingface_hub").disabled = logging.getLogger("restorekit").disabled = False
