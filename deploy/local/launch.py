"""Turn into another program that dies with its parent: `python launch.py PARENT_PID PROGRAM ARGUMENT…`.

Linux sends the chosen signal to a process whose parent is gone, however the parent ended, and the choice survives exec.
It is set here, in the child before exec, because code between fork and exec of a threaded parent may deadlock.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        # SIGKILL: nobody is left to wait for a clean stop, and mongod and Kafka both recover from their journals.
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise OSError(ctypes.get_errno(), "prctl refused")
        if os.getppid() != parent:  # it died before we asked to be told
            sys.exit(1)
    try:
        os.execvp(program[0], program)  # noqa: S606 - becoming the program is what this file is for
    except OSError as error:
        sys.exit(f"{program[0]} could not be started: {error.strerror}")


if __name__ == "__main__":
    main()
