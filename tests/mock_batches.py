"""A loopback provider of files and batches, for breaking a client of the batch API.

    python mock_batches.py --port 8901 --rate-500 0.1

POST and GET /v1/files, /v1/files/ID/content, DELETE /v1/files/ID; POST and GET /v1/batches, GET
/v1/batches/ID. A batch goes from validating to in_progress to finalizing to its end, one step
whenever it is asked for; while the server holds (`/hold`, `/release`) it stays in progress. Replies
fit the request's schema, the same body gets the same text. POST /v1/chat/completions is not there.

Faults, decided by custom_id and by how often it has come, so that the next batch may answer:
`--rate-500`, `--rate-429` (a line in the error file), `--rate-missing` (no line at all),
`--rate-zero` (status 0); `--end expired` or `cancelled` lets the first batch end half answered;
`--no-room` fails it for its tokens, `--refuse` for good. `--stall POINT` never answers there
(/stall sets it later): upload, uploaded, create, created, retrieve, content.
GET /stats: {"files", "deleted", "batches", "answered", "repeated", "stalled"}; `answered`
counts lines with status 200, `repeated` those of a body that had been answered before.
"""

from __future__ import annotations

import argparse
import email
import hashlib
import json
import random
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

p = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
p.add_argument("--port", type=int, default=8901)
for name in ("500", "429", "missing", "zero"):
    p.add_argument(f"--rate-{name}", type=float, default=0.0)
p.add_argument("--end", default="completed", help="how the first batch ends")
p.add_argument("--no-room", type=int, default=0, help="so many batches fail: too many tokens")
p.add_argument("--refuse", action="store_true", help="every batch fails")
p.add_argument("--no-response-format", action="store_true")
p.add_argument("--max-requests", type=int, default=50_000)
p.add_argument("--stall", default="")
p.add_argument("--hold", action="store_true")
p.add_argument("--key", default="")
a = p.parse_args()

WORDS = "river garden teacher engine market village doctor bridge window library farmer".split()
lock = threading.RLock()
files: dict[str, bytes] = {}
batches: dict[str, dict[str, Any]] = {}
seen: dict[str, int] = {}
answered: dict[str, int] = {}
state = {"stall": a.stall, "hold": a.hold, "stalled": 0, "deleted": 0, "no_room": a.no_room}


def fill(schema: dict[str, Any], rnd: random.Random) -> Any:
    if "enum" in schema:
        return rnd.choice(schema["enum"])
    if schema["type"] == "object":
        return {name: fill(inner, rnd) for name, inner in schema["properties"].items()}
    if schema["type"] == "array":
        return [fill(schema["items"], rnd) for _ in range(schema.get("maxItems", 3))]
    return " ".join(rnd.choice(WORDS) for _ in range(30)).capitalize() + "."


def reply(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of one request."""
    form = body.get("response_format")
    if form and a.no_response_format:
        message = "response_format is not supported"
        return 400, {"error": {"message": message, "code": None, "type": "invalid_request_error"}}
    plain = {k: v for k, v in body.items() if k != "response_format"}
    rnd = random.Random(hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).digest())
    if form:
        text = json.dumps(fill(form["json_schema"]["schema"], rnd))
    else:
        names = ("tasks", "question", "passage", "decoy")
        text = json.dumps(
            {n: [fill({"type": "string"}, rnd)] if n == "tasks" else fill({"type": "string"}, rnd)
             for n in names}
        )  # fmt: skip
    usage = {"prompt_tokens": 20, "completion_tokens": len(text) // 4}
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
    }
    return 200, {"choices": [choice], "usage": usage, "model": body["model"]}


def outcome(line: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """Which file a request's line goes into, and the line."""
    key = line["custom_id"]
    seen[key] = seen.get(key, 0) + 1
    u = random.Random(f"{key} {seen[key]}").random()
    found: dict[str, Any] = {"id": f"req_{key}", "custom_id": key, "error": None}
    for rate, status in ((a.rate_500, 500), (a.rate_429, 429), (a.rate_zero, 0)):
        if u < rate:
            error = {"error": {"message": "not now", "code": str(status)}}
            return "errors", found | {"response": {"status_code": status, "body": error}}
        u -= rate
    if u < a.rate_missing:
        return "errors", None
    status, body = reply(line["body"])
    if status == 200:
        digest = hashlib.sha256(json.dumps(line["body"], sort_keys=True).encode()).hexdigest()
        answered[digest] = answered.get(digest, 0) + 1
    where = "output" if status == 200 else "errors"
    return where, found | {"response": {"status_code": status, "body": body}}


def work(batch: dict[str, Any]) -> None:
    """Answer the lines of a batch; of one that ends early, half of them."""
    lines = [json.loads(line) for line in files[batch["input_file_id"]].splitlines() if line]
    end = a.end if len(batches) == 1 else "completed"
    whole = len(lines) if end == "completed" else len(lines) // 2
    out: dict[str, list[str]] = {"output": [], "errors": []}
    for number, line in enumerate(lines):
        if number < whole:
            where, found = outcome(line)
        else:
            error = {"code": f"batch_{end}", "message": "This request could not be executed"}
            where, found = "errors", {"custom_id": line["custom_id"], "response": None}
            found["error"] = error
        if found is not None:
            out[where].append(json.dumps(found))
    random.Random(batch["id"]).shuffle(out["output"])
    for where, field in (("output", "output_file_id"), ("errors", "error_file_id")):
        if out[where]:
            batch[field] = f"file-{where}-{batch['id']}"
            files[batch[field]] = "\n".join(out[where]).encode()  # no newline at the end
    batch["status"] = end


def advance(batch: dict[str, Any]) -> None:
    """One step towards the end."""
    if batch["status"] == "validating":
        lines = files[batch["input_file_id"]].count(b"\n")
        code = ""
        if state["no_room"] > 0:
            state["no_room"] -= 1
            code = "token_limit_exceeded"
        elif a.refuse or lines > a.max_requests:
            code = "invalid_request"
        if code:
            data = [{"code": code, "message": "the batch is refused", "line": None}]
            batch["errors"] = {"object": "list", "data": data}
        batch["status"] = "failed" if code else "in_progress"
    elif batch["status"] == "in_progress" and not state["hold"]:
        batch["status"] = "finalizing"
    elif batch["status"] == "finalizing":
        work(batch)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a reply waits 40 ms for the client's acknowledgement

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def send(self, found: Any, status: int = 200) -> None:
        """Answer with JSON, or with bytes as they are."""
        data = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stall(self, point: str) -> bool:
        """Whether this point is never answered: the connection hangs until the client is gone."""
        if state["stall"] != point:
            return False
        state["stalled"] += 1
        self.close_connection = True
        while state["stall"] == point:
            time.sleep(0.005)
        return True

    def body(self) -> bytes:
        """What was sent."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def refused(self) -> bool:
        """Whether the key is wrong; then it is answered."""
        if not a.key or self.headers.get("Authorization") == f"Bearer {a.key}":
            return False
        self.send({"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, 401)
        return True

    def do_POST(self) -> None:
        """Upload a file, create a batch."""
        data, path = self.body(), self.path.partition("?")[0].removeprefix("/v1")
        if self.refused():
            return
        if path == "/files":
            if self.stall("upload"):
                return
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = {
                part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
                for part in email.message_from_bytes(head + data).get_payload()
            }
            with lock:
                file_id = f"file-{len(files)}-{state['deleted']}"
                files[file_id] = parts["file"]
            if not self.stall("uploaded"):
                self.send({"id": file_id, "object": "file", "bytes": len(parts["file"]),
                           "created_at": int(time.time()), "filename": "x", "purpose": "batch",
                           "status": "processed"})  # fmt: skip
        elif path == "/batches":
            if self.stall("create"):
                return
            with lock:
                wanted = json.loads(data)
                batch = {"id": f"batch_{len(batches)}", "object": "batch", **wanted,
                         "status": "validating", "created_at": int(time.time()),
                         "output_file_id": None, "error_file_id": None, "errors": None}  # fmt: skip
                batches[batch["id"]] = batch
            if not self.stall("created"):
                self.send(batch)
        else:
            self.send({"error": {"message": "no such path"}}, 404)

    def do_GET(self) -> None:
        """Look: at what was counted, at the list of batches, at one, at a file."""
        url = urllib.parse.urlparse(self.path)
        path, query = url.path.removeprefix("/v1"), urllib.parse.parse_qs(url.query)
        if path in ("/stats", "/hold", "/release", "/stall"):
            self.control(path, query)
        elif self.refused():
            return
        elif path == "/batches":
            self.listing(query.get("after", [None])[0])
        elif path.startswith("/batches/"):
            if not self.stall("retrieve"):
                self.batch(path.rsplit("/", 1)[1])
        elif path.endswith("/content"):
            self.content(files[path.split("/")[2]])
        else:
            self.send({"error": {"message": "no such path"}}, 404)

    def batch(self, batch_id: str) -> None:
        """A batch, one step further."""
        with lock:
            if batch_id not in batches:
                self.send({"error": {"message": "no such batch"}}, 404)
                return
            advance(batches[batch_id])
            self.send(batches[batch_id])

    def control(self, path: str, query: dict[str, list[str]]) -> None:
        """What tests tell the server, and ask it."""
        with lock:
            if path == "/stall":
                state["stall"] = query.get("at", [""])[0]
            elif path != "/stats":
                state["hold"] = path == "/hold"
            self.send({"files": len(files), "batches": len(batches), "deleted": state["deleted"],
                       "answered": sum(answered.values()), "stalled": state["stalled"],
                       "repeated": sum(n - 1 for n in answered.values())})  # fmt: skip

    def listing(self, after: str | None) -> None:
        """The batches, the newest first, in small pages, so that a client has to turn them."""
        newest = sorted(batches.values(), key=lambda b: int(b["id"][6:]), reverse=True)
        start = next((i + 1 for i, b in enumerate(newest) if b["id"] == after), 0)
        page = newest[start : start + 2]
        self.send({"object": "list", "data": page, "has_more": start + 2 < len(newest),
                   "first_id": page[0]["id"] if page else None,
                   "last_id": page[-1]["id"] if page else None})  # fmt: skip

    def content(self, content: bytes) -> None:
        """A file; half of it, where the server stalls."""
        if state["stall"] != "content":
            self.send(content)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.stall("content")

    def do_DELETE(self) -> None:
        """Delete a file."""
        with lock:
            file_id = self.path.rsplit("/", 1)[1]
            files.pop(file_id, None)
            state["deleted"] += 1
            self.send({"id": file_id, "object": "file", "deleted": True})


server = ThreadingHTTPServer(("127.0.0.1", a.port), Handler)
server.daemon_threads = True
print(f"listening on http://127.0.0.1:{server.server_address[1]}/v1", flush=True)  # noqa: T201
server.serve_forever()
