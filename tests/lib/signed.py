# SPDX-License-Identifier: Apache-2.0
"""Volcengine's signature V4, written after its description alone, and with everything in
reach of a test that wants it wrong."""
import hashlib
import hmac
import time
from urllib.parse import parse_qsl, quote, urlencode

ALGORITHM = "HMAC-SHA256"


def now(offset_s=0):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + offset_s))


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _signature(secret, date, scope, canonical):
    key = secret.encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    text = "\n".join((ALGORITHM, date, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    return _mac(key, text).hex()


def _canonical(method, target, names, values, body_hash):
    path, _, query = target.partition("?")
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, True))
    return "\n".join((method, path, "&".join(f"{k}={v}" for k, v in pairs),
                      "".join(f"{name}:{values[name]}\n" for name in names), ";".join(names), body_hash))


def head(keys, target, body=b"", date=None, service="ark", more=None, method="POST"):
    """The headers that sign a request; more is signed with them."""
    access, secret = keys
    values = {"x-date": date or now(), "x-content-sha256": hashlib.sha256(body).hexdigest(), **(more or {})}
    names = sorted(values)
    scope = f"{values['x-date'][:8]}/cn-beijing/{service}/request"
    signature = _signature(secret, values["x-date"], scope,
                           _canonical(method, target, names, values, values["x-content-sha256"]))
    return {**values, "Authorization": f"{ALGORITHM} Credential={access}/{scope}, SignedHeaders={';'.join(names)}, "
                                       f"Signature={signature}"}


def target(keys, path, host, date=None, **query):
    """The path with the query that signs it, and no body."""
    access, secret = keys
    date = date or now()
    scope = f"{date[:8]}/cn-beijing/ark/request"
    query |= {"X-Algorithm": ALGORITHM, "X-Credential": f"{access}/{scope}", "X-Date": date, "X-NotSignBody": "",
              "X-SignedHeaders": "host", "X-SignedQueries": ""}
    query["X-SignedQueries"] = ";".join(sorted(query))
    whole = f"{path}?{urlencode(query, quote_via=quote)}"
    signature = _signature(secret, date, scope,
                           _canonical("POST", whole, ["host"], {"host": host}, hashlib.sha256(b"").hexdigest()))
    return f"{whole}&X-Signature={signature}"
