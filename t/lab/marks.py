"""What a test needs that not every httpd and not every build has: marks with the reason why it is left out."""
from __future__ import annotations

import pytest

from httpdlab import HTTP2, THREADED

needs_http2 = pytest.mark.skipif(not HTTP2, reason="the module was built without libnghttp2")
needs_mod_http2 = pytest.mark.skipif(not THREADED, reason="mod_http2 does not run under prefork")
needs_threads = pytest.mark.skipif(not THREADED, reason="a child of prefork serves one request at a time")
