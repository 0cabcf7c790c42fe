"""Lets Evenkeel list the tests of a pytest suite and run chosen ones in a process that stays ready for more.

Listing: EVENKEEL_PYTEST_LIST names a file that gets one JSON line per collected test.

Running: EVENKEEL_PYTEST_RESULTS names a pipe. After collection the plugin reads orders from standard input, one JSON
line each: {"run": [[node id, occurrence], ...], "env": {...}, "mark": text}, and writes JSON lines into the pipe:
{"ready": n} once, {"start": position} and {"position": ..., "outcome": ..., ...} for each test, {"done": true} for each
order. Where a source file has changed since it was loaded, or a test is not known that may be new, it writes
{"stale": true} instead and ends. End of input ends the session in the usual way.

Nothing of this is visible to the tests: the variables and the path entry are taken away again, standard input reads as
empty, and the options that would make several processes write the same file are put back to their defaults.
"""

import json
import os
import sys
import time

import pytest

_TEXT_MAX = 64 * 1024


def _take(name):
    return os.environ.pop(name, None)


def _forget_plugin_path():
    folder = os.path.dirname(os.path.abspath(__file__))
    before = _take("EVENKEEL_PYTEST_PATH_BEFORE")
    if before is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = before
    if folder in sys.path:
        sys.path.remove(folder)


_list_file = _take("EVENKEEL_PYTEST_LIST")
_results_pipe = _take("EVENKEEL_PYTEST_RESULTS")
_forget_plugin_path()


def _open_channels():
    # Descriptors made by os.dup and os.open are not inherited by programs that the tests start.
    orders = os.fdopen(os.dup(0), "r", encoding="utf-8", errors="surrogateescape", newline="\n")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return orders, os.open(_results_pipe, os.O_WRONLY)


_orders, _results = _open_channels() if _results_pipe else (None, None)
_pid = os.getpid()


def _plain(text):
    """The text without halves of surrogate pairs, which file names can hold and JSON cannot."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def _say(message):
    if os.getpid() != _pid:
        return
    data = json.dumps(message).encode("ascii") + b"\n"
    while data:
        data = data[os.write(_results, data) :]


class _Boundary(pytest.Item):
    """Stands for the unknown test of the next order: whatever is narrower than the session is torn down before it."""

    def runtest(self):
        raise AssertionError("a boundary is never run")


class _Lister:
    def __init__(self, path):
        self.path = path
        self.skipped = []

    def pytest_collectreport(self, report):
        # pytest counts a module that skips itself as one skipped test.
        if report.outcome == "skipped":
            self.skipped.append({"skipped": _plain(report.nodeid), "reason": _plain(_skip_reason(report))})

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session):
        with open(self.path, "w", encoding="ascii") as out:
            for line in self.skipped:
                out.write(json.dumps(line) + "\n")
            for item in session.items:
                out.write(json.dumps({"id": _plain(item.nodeid)}) + "\n")
            out.write(json.dumps({"end": len(session.items), "rootdir": str(session.config.rootpath)}) + "\n")


class _Runner:
    def __init__(self):
        self.current = None
        self.sources = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted("%d errors during collection" % session.testsfailed)
        known = {}
        for item in session.items:
            known.setdefault(_plain(item.nodeid), []).append(item)
        boundary = _Boundary.from_parent(session, name="evenkeel-boundary")
        self._note_sources(session)
        _say({"ready": len(session.items)})
        served = 0
        for line in _orders:
            order = json.loads(line)
            unknown = any(occurrence >= len(known.get(nodeid, ())) for nodeid, occurrence in order["run"])
            if served and (unknown or self._changed()):
                _say({"stale": True})
                break
            served += 1
            os.environ.update(order.get("env", {}))
            self._run(session, known, order["run"], boundary)
            self._note_sources(session)
            self._flush(session, order.get("mark"))
            _say({"done": True})
        session._setupstate.teardown_exact(None)
        return True

    def _note_sources(self, session):
        """Remembers the state of the suite's own modules, which may be edited while this process waits."""
        root = str(session.config.rootpath) + os.sep
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and path.startswith(root) and path not in self.sources:
                self.sources[path] = _state(path)

    def _changed(self):
        return any(_state(path) != state for path, state in self.sources.items())

    def _run(self, session, known, chosen, boundary):
        found = []
        for position, (nodeid, occurrence) in enumerate(chosen):
            items = known.get(nodeid, [])
            if occurrence < len(items):
                found.append((position, items[occurrence]))
            else:
                _say({"position": position, "outcome": "error", "seconds": 0, "message": _not_collected(nodeid)})
        for at, (position, item) in enumerate(found):
            following = found[at + 1][1] if at + 1 < len(found) else boundary
            self._run_one(session, position, item, following)

    def _run_one(self, session, position, item, following):
        self.current = _Collected(item.nodeid)
        _say({"start": position})
        began = time.monotonic()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if os.getpid() != _pid:
            # A test forked and its child came back to here: it must not go on with the parent's orders.
            os._exit(1)
        # A failure limit was set back to none; what else asks for a stop concerns one process, not the suite.
        session.shouldfail = False
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        message = self.current.result(time.monotonic() - began)
        message["position"] = position
        self.current = None
        _say(message)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        if self.current is not None and report.nodeid == self.current.nodeid:
            self.current.add(report)

    def _flush(self, session, mark):
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
        sys.stdout.flush()
        sys.stderr.flush()
        if mark is not None:
            # Written past Python, so that it comes after everything above whatever sys.stdout is now.
            capture = session.config.pluginmanager.get_plugin("capturemanager")
            if capture is not None and capture.is_globally_capturing():
                with capture.global_and_fixture_disabled():
                    os.write(1, mark.encode("ascii"))
            else:
                os.write(1, mark.encode("ascii"))


def _state(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size)


def _not_collected(nodeid):
    return "pytest did not collect %s on this worker: check that its files and plugins are those of the client" % nodeid


class _Collected:
    """What the reports of one test's setup, call and teardown say together."""

    def __init__(self, nodeid):
        self.nodeid = nodeid
        self.outcome = None
        self.seconds = 0.0
        self.texts = []

    def add(self, report):
        self.seconds += getattr(report, "duration", 0.0) or 0.0
        expected = hasattr(report, "wasxfail")
        if report.outcome == "failed":
            self._failed("failed" if report.when == "call" else "error", str(report.longreprtext))
        elif hasattr(report, "context") or report.outcome not in ("passed", "skipped"):
            # A part of a test that went well, or a repetition by a plugin: the report on the whole follows.
            return
        elif self.outcome in (None, "passed") and report.outcome == "skipped":
            self.outcome = "xfailed" if expected else "skipped"
            self.texts.append(str(report.wasxfail) if expected else _skip_reason(report))
        elif self.outcome is None and report.when == "call":
            self.outcome = "xpassed" if expected else "passed"

    def _failed(self, outcome, text):
        if self.outcome not in ("failed", "error"):
            self.outcome = outcome
        self.texts.append(text if len(text) <= _TEXT_MAX else text[-_TEXT_MAX:])

    def result(self, wall):
        if self.outcome is None:
            self._failed("error", "pytest ran the test and reported no outcome: a plugin swallowed its report")
        message = "\n".join(text for text in self.texts if text)
        return {"outcome": self.outcome, "seconds": self.seconds or wall, "message": _plain(message) or None}


def _skip_reason(report):
    if isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2])
        return reason[len("Skipped: ") :] if reason.startswith("Skipped: ") else reason
    return str(report.longreprtext)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    _run_alone(config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    _run_alone(config)
    if _list_file:
        config.pluginmanager.register(_Lister(_list_file), "evenkeel-lister")
    if _results_pipe:
        config.pluginmanager.register(_Runner(), "evenkeel-runner")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    # Which tests run was decided when they were listed, and several processes must not write one cache.
    if _results_pipe:
        for name in ("lfplugin", "nfplugin", "stepwiseplugin"):
            plugin = session.config.pluginmanager.get_plugin(name)
            if plugin is not None:
                session.config.pluginmanager.unregister(plugin)


def _run_alone(config):
    """Puts back the options by which one process would distribute tests, stop early, or write a report of its own."""
    defaults = {"numprocesses": None, "dist": "no", "tx": [], "looponfail": False, "maxfail": 0}
    if _results_pipe:
        defaults["xmlpath"] = None
    for name, value in defaults.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
