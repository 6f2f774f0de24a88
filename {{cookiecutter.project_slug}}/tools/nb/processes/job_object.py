"""Job objects: on Windows, all processes of a worker end with the worker, however that ends.

The worker holds the only handle of the job. When the worker is gone, Windows closes the handle and
ends every process in the job: the part of process groups and subreapers on Linux.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

EXTENDED_LIMITS, ACCOUNTING = 9, 1  # classes of information
KILL_ON_JOB_CLOSE = 0x2000
TICKS_PER_SECOND = 10_000_000


class _Limits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("working_sets", ctypes.c_size_t * 2),
        ("active_processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("classes", ctypes.c_uint32 * 2),
        ("transfers", ctypes.c_uint64 * 6),
        ("memory_limits", ctypes.c_size_t * 2),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


class _Accounting(ctypes.Structure):
    """JOBOBJECT_BASIC_ACCOUNTING_INFORMATION."""

    _fields_ = (
        ("user_time", ctypes.c_int64),
        ("kernel_time", ctypes.c_int64),
        ("period_times", ctypes.c_int64 * 2),
        ("counts", ctypes.c_uint32 * 4),
    )


@dataclass(frozen=True)
class JobObject:
    """The job that this process and all of its descendants belong to.

    Attributes:
        handle: Windows' handle; never closed but by the end of the process.
    """

    handle: int

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of all processes, those that ended included."""
        found = self._query(ACCOUNTING, _Accounting())
        return float(found.user_time + found.kernel_time) / TICKS_PER_SECOND

    def peak_memory(self) -> int:
        """Return the peak memory of the largest process, in bytes."""
        return int(self._query(EXTENDED_LIMITS, _Limits()).peak_process_memory)

    def _query(self, kind: int, found: Any) -> Any:
        size = ctypes.sizeof(found)
        _kernel32().QueryInformationJobObject(self.handle, kind, ctypes.byref(found), size, None)
        return found


def join_job() -> JobObject | None:
    """Put this process into a new job; None where the system has no jobs or refuses."""
    if sys.platform != "win32":
        return None
    kernel32 = _kernel32()
    handle = kernel32.CreateJobObjectW(None, None)
    limits = _Limits(flags=KILL_ON_JOB_CLOSE)
    size = ctypes.sizeof(limits)
    if not (
        handle
        and kernel32.SetInformationJobObject(handle, EXTENDED_LIMITS, ctypes.byref(limits), size)
        and kernel32.AssignProcessToJobObject(handle, kernel32.GetCurrentProcess())
    ):
        return None
    return JobObject(handle)


def _kernel32() -> Any:
    library = vars(ctypes)["WinDLL"]("kernel32", use_last_error=True)
    pointer = ctypes.c_void_p
    library.CreateJobObjectW.restype = library.GetCurrentProcess.restype = pointer
    library.CreateJobObjectW.argtypes = [pointer, pointer]
    library.AssignProcessToJobObject.argtypes = [pointer, pointer]
    library.SetInformationJobObject.argtypes = [pointer, ctypes.c_int, pointer, ctypes.c_uint32]
    library.QueryInformationJobObject.argtypes = [
        *(pointer, ctypes.c_int, pointer, ctypes.c_uint32),
        pointer,
    ]
    return library
