"""The system calls that a box may make, as two seccomp programs (BPF), made once a process.

1. An allow list. What it does not name fails with ENOSYS, as on an older kernel, so that a C library falls back
   (clone3, io_uring); what is named in `FORBIDDEN` fails with EPERM, so that a program can say what it was
   refused. Left out are the parts of the kernel that hold most of its published privilege escalations and that
   no reproducer needs: keys, bpf, perf, userfaultfd, io_uring, mounts, namespaces, tracing, modules, kexec, clocks.
   So is what tells of others' use of files: /usr is the machine's, and watching it (inotify, fanotify, dnotify) or
   leasing its files says which programs run outside and in other boxes.
2. A deny list of arguments: ioctls that type into a terminal, and the two of fcntl for watching and leasing. Only the
   low 32 bits of a request count for the kernel, so only they are compared (a comparison of 64 bits is passed by
   setting a high one).

Other architectures' entries (i386, x32) end the process.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from clearway.records.errors import ConfigError

_FILES = """
access brk chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr
fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr lchown lgetxattr link linkat
listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2
pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat
renameat2 rmdir sendfile setxattr stat statfs statx symlink symlinkat sync sync_file_range syncfs truncate umask
unlink unlinkat utime utimensat utimes write writev
"""
_MEMORY = """
cachestat madvise mincore mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock munlockall munmap
pkey_alloc pkey_free pkey_mprotect membarrier
"""
_PROCESSES = """
alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv
futex_wake get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getitimer getpgid getpgrp getpid
getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid kill landlock_add_rule
landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq
rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer
setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill
time times tkill uname vfork wait4 waitid
"""
_TALK = """
accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd
eventfd2 getpeername getsockname getsockopt ioctl listen pipe pipe2 poll ppoll pselect6 recvfrom recvmmsg
recvmsg select sendmmsg sendmsg sendto setsockopt shutdown signalfd signalfd4 splice tee timer_create
timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime
clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep getrandom
"""
ALLOWED = frozenset(" ".join((_FILES, _MEMORY, _PROCESSES, _TALK)).split())

# Memory that belongs to no process: without a cgroup nothing would count it.
_UNCOUNTED = """
memfd_create shmat shmctl shmdt shmget semctl semget semop semtimedop msgctl msgget msgrcv msgsnd
"""
UNCOUNTED = frozenset(_UNCOUNTED.split())

_FORBIDDEN = """
acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init fanotify_mark finit_module
fsconfig fsmount fsopen fspick get_kernel_syms init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl
kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind memfd_secret migrate_pages modify_ldt mount mount_setattr
move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root
process_madvise process_mrelease process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot
remap_file_pages request_key set_mempolicy set_mempolicy_home_node setdomainname sethostname setns settimeofday
swapoff swapon syslog umount2 unshare uselib userfaultfd ustat vhangup vmsplice
"""
FORBIDDEN = frozenset(_FORBIDDEN.split())

_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}, linux/sched.h
_PERSONALITIES = (0x0, 0x0040000, 0xFFFFFFFF)  # PER_LINUX, ADDR_NO_RANDOMIZE, and asking: linux/personality.h
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK, _NETLINK_ROUTE = 1, 2, 10, 16, 0
_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: asm-generic/ioctls.h
_WATCHING = (0x402, 0x400)  # F_NOTIFY, F_SETLEASE: linux/fcntl.h
_LOW = 0xFFFFFFFF


@cache
def programs(*, loopback: bool = False, uncounted: bool = True) -> tuple[bytes, bytes]:
    """The two programs as the kernel reads them; the same arguments give the same bytes.

    `loopback` admits sockets of the internet families; `uncounted` System V memory and
    anonymous files, which only a cgroup bounds.

    Raises:
        ConfigError: the library is not there.
    """
    lib = _library()
    allow = lib.SyscallFilter(lib.ERRNO(errno.ENOSYS))
    allow.set_attr(lib.Attr.CTL_OPTIMIZE, 2)  # a search tree instead of one long chain
    for name in sorted(ALLOWED | (UNCOUNTED if uncounted else frozenset())):
        _add(allow, lib.ALLOW, name)
    for name in sorted(FORBIDDEN | (frozenset() if uncounted else UNCOUNTED)):
        _add(allow, lib.ERRNO(errno.EPERM), name)
    families = (_AF_UNIX, _AF_INET, _AF_INET6) if loopback else (_AF_UNIX,)
    for family in families:
        _add(allow, lib.ALLOW, "socket", lib.Arg(0, lib.MASKED_EQ, _LOW, family))
    if (
        loopback
    ):  # asking which addresses there are; changing them needs a capability that nobody in a box has
        route = (
            lib.Arg(0, lib.MASKED_EQ, _LOW, _AF_NETLINK),
            lib.Arg(2, lib.MASKED_EQ, _LOW, _NETLINK_ROUTE),
        )
        _add(allow, lib.ALLOW, "socket", *route)
    _add(allow, lib.ALLOW, "socketpair", lib.Arg(0, lib.MASKED_EQ, _LOW, _AF_UNIX))
    for persona in _PERSONALITIES:
        _add(allow, lib.ALLOW, "personality", lib.Arg(0, lib.MASKED_EQ, _LOW, persona))
    _add(allow, lib.ALLOW, "clone", lib.Arg(0, lib.MASKED_EQ, _NEW_NAMESPACES, 0))

    deny = lib.SyscallFilter(lib.ALLOW)
    for request in _TERMINAL:
        _add(deny, lib.ERRNO(errno.EPERM), "ioctl", lib.Arg(1, lib.MASKED_EQ, _LOW, request))
    for command in _WATCHING:  # as of a kernel without
        _add(deny, lib.ERRNO(errno.EINVAL), "fcntl", lib.Arg(1, lib.MASKED_EQ, _LOW, command))
    return _exported(allow), _exported(deny)


def digest(filters: Iterable[bytes]) -> str:
    """SHA-256 over the programs, hexadecimal: what an outcome's record names."""
    return hashlib.sha256(b"".join(filters)).hexdigest()


@cache
def _library() -> Any:
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigError(
            "the library libseccomp is missing", mend="install it: apt-get install libseccomp2"
        ) from error
    return pyseccomp


def _add(made: Any, action: Any, name: str, *arguments: Any) -> None:
    if name in ALLOWED | FORBIDDEN | UNCOUNTED and _unknown(name):
        return  # newer than this libseccomp, or another machine's: it falls to the default
    try:
        made.add_rule(action, name, *arguments)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"libseccomp makes no rule for {name}: {error}", mend="install libseccomp 2.5 or later"
        ) from error


def _unknown(name: str) -> bool:
    lib = _library()
    try:
        return bool(lib.resolve_syscall(lib.system_arch(), name) < 0)
    except (OSError, RuntimeError, ValueError):
        return True


def _exported(made: Any) -> bytes:
    export: Callable[[Any], None] = made.export_bpf
    with os.fdopen(os.memfd_create("filter"), "w+b", buffering=0) as file:
        export(file)
        file.seek(0)
        return file.read()
