"""``synapse-otel ship``: the shipper in the foreground, for a sidecar container, a systemd unit, a DaemonSet."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from threading import Event, Thread
from typing import Final

from synapse_otel.cli.codes import DONE, SHIPPING_ALREADY
from synapse_otel.cli.deliver.shipped import Shipped
from synapse_otel.cli.lines import say, tell
from synapse_otel.journal.destination_key import read_salt
from synapse_otel.journal.files.descriptors import take_standard
from synapse_otel.journal.files.lock_holder import Role, SignOfLife
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.folder import make_root
from synapse_otel.otlp.destination import shown_url
from synapse_otel.runtime.shipping import shipper_configuration
from synapse_otel.settings import load_destination, load_settings
from synapse_otel.shipper.configuration import lock_path
from synapse_otel.shipper.launch import is_shipping
from synapse_otel.shipper.process import Stop, acquire, allow_files, collect_seldom
from synapse_otel.shipper.service import Shipper

_TELL_SECONDS: Final = 10.0
_ENDING: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def ship(*, ready_file: Path | None, idle_exit: float | None) -> int:
    """Deliver the journals of the configured destination until stopped; return the exit code.

    Args:
        ready_file: a file that exists while it delivers.
        idle_exit: seconds without pending records and without a live job after which it exits; None: never.

    Raises:
        SettingsError: a setting is wrong.
        OSError: the folder of journals cannot be created, or belongs to another user.
    """
    settings = load_settings()
    destination = load_destination(settings)
    make_root(settings.journal_dir)
    configuration = shipper_configuration(settings, destination, destination.key(read_salt(settings.journal_dir)))
    place = shown_url(destination.logs.url).removesuffix("/v1/logs")
    lock = FileLock(lock_path(settings.journal_dir, configuration.key))
    if any(is_shipping(Path(root), configuration.key) for root in configuration.roots) or not acquire(lock):
        tell(f"another shipper already delivers to {place} from {settings.journal_dir}")
        return SHIPPING_ALREADY
    stop = Stop()
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    allow_files()
    take_standard()  # or a socket gets the number of a stream that is closed
    collect_seldom()
    sign = SignOfLife(lock_path(settings.journal_dir, configuration.key), Role.FOREGROUND, configuration.key)
    shipper = Shipper(configuration, tell, role=Role.FOREGROUND, sign=sign)
    stop.hear(shipper)
    readiness = Readiness(ready_file)
    shipped = Shipped([Path(root) for root in configuration.roots], configuration.key)
    over = Event()
    teller = Thread(target=_tell_now_and_then, args=(shipped, over), name="account", daemon=True)
    try:
        readiness.announce()
        say(f"ready: {settings.journal_dir} to {place}")
        teller.start()
        shipper.run(idle_seconds=idle_exit)
    finally:
        readiness.withdraw()
        over.set()
        sign.withdraw()
        lock.release()
    teller.join()
    tell(f"stopped: {shipped.total()}")
    return DONE


def _tell_now_and_then(shipped: Shipped, over: Event) -> None:
    """Report deliveries, at most once per interval."""
    while not over.wait(_TELL_SECONDS):
        for line in shipped.news():
            tell(line)


_SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
_ABSTRACT: Final = "@"


class Readiness:
    """Reports that the process is ready, and that it no longer is."""

    def __init__(self, ready_file: Path | None) -> None:
        self._file = ready_file

    def announce(self) -> None:
        """Report that it is ready.

        Raises:
            OSError: the file cannot be written.
        """
        if self._file is not None:
            self._file.write_text(f"{os.getpid()}\n")
        _notify("READY=1")

    def withdraw(self) -> None:
        """Report that it is about to end."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        _notify("STOPPING=1")


def _notify(state: str) -> None:
    address = os.environ.get(_SOCKET_VARIABLE)
    if not address:
        return
    if address.startswith(_ABSTRACT):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as supervisor:
            supervisor.sendto(state.encode(), address)
    except OSError as error:
        tell(f"{_SOCKET_VARIABLE}: {error.strerror or error}")
