/* What a hostile program tries. Each command prints one line a try: a name and the errno, 0 for success. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void told(const char *name, long result) {
    printf("%s %d\n", name, result < 0 ? errno : 0);
    fflush(stdout);
}
#define TRY(name, call) told(name, (long)(call))
#define BAD ((void *)8)

static void kernel(void) {
    /* Arguments are such that none does harm where it is allowed: bad pointers, bad magic, bad numbers. */
    TRY("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    TRY("add_key", syscall(SYS_add_key, BAD, BAD, 0, 0, -3));
    TRY("request_key", syscall(SYS_request_key, BAD, BAD, 0, -3));
    TRY("bpf", syscall(SYS_bpf, 5, BAD, 64));
    TRY("perf_event_open", syscall(SYS_perf_event_open, BAD, 0, -1, -1, 0));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 1));
    TRY("io_uring_setup", syscall(425, 1, BAD));
    TRY("io_uring_enter", syscall(426, -1, 0, 0, 0, 0, 0));
    TRY("mount", syscall(SYS_mount, BAD, BAD, BAD, 0, 0));
    TRY("umount2", syscall(SYS_umount2, BAD, 0));
    TRY("pivot_root", syscall(SYS_pivot_root, BAD, BAD));
    TRY("fsopen", syscall(430, BAD, 0));
    TRY("open_tree", syscall(428, -1, BAD, 0));
    TRY("move_mount", syscall(429, -1, BAD, -1, BAD, 0));
    TRY("chroot", syscall(SYS_chroot, BAD));
    TRY("setns", syscall(SYS_setns, -1, 0));
    TRY("unshare", syscall(SYS_unshare, 0));
    TRY("ptrace", ptrace(PTRACE_ATTACH, 1, 0, 0));
    TRY("process_vm_readv", syscall(SYS_process_vm_readv, 1, BAD, 1, BAD, 1, 0));
    TRY("process_vm_writev", syscall(SYS_process_vm_writev, 1, BAD, 1, BAD, 1, 0));
    TRY("kcmp", syscall(SYS_kcmp, 1, 1, 0, 0, 0));
    TRY("pidfd_getfd", syscall(438, -1, 0, 0));
    TRY("kexec_load", syscall(SYS_kexec_load, 0, 99, BAD, 0xffff0000));
    TRY("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, BAD, 0xffff));
    TRY("init_module", syscall(SYS_init_module, BAD, 1, BAD));
    TRY("finit_module", syscall(SYS_finit_module, -1, BAD, 0));
    TRY("delete_module", syscall(SYS_delete_module, BAD, 0));
    TRY("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
    TRY("swapon", syscall(SYS_swapon, BAD, 0));
    TRY("swapoff", syscall(SYS_swapoff, BAD));
    TRY("acct", syscall(SYS_acct, BAD));
    TRY("syslog", syscall(SYS_syslog, 99, 0, 0));
    TRY("settimeofday", syscall(SYS_settimeofday, BAD, 0));
    TRY("clock_settime", syscall(SYS_clock_settime, 0, BAD));
    TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, BAD, 0));
    TRY("name_to_handle_at", syscall(SYS_name_to_handle_at, -1, BAD, BAD, BAD, 0));
    TRY("memfd_secret", syscall(447, 0xffff));
    TRY("fanotify_init", syscall(SYS_fanotify_init, 0xffffffff, 0));
    TRY("quotactl", syscall(SYS_quotactl, -1, BAD, 0, 0));
    TRY("sethostname", syscall(SYS_sethostname, BAD, 1));
    TRY("move_pages", syscall(SYS_move_pages, 1, 1, BAD, BAD, BAD, 99));
    TRY("vmsplice", syscall(SYS_vmsplice, -1, BAD, 1, 0));
    TRY("personality", syscall(SYS_personality, 0x0400000));
#ifdef __x86_64__
    TRY("iopl", syscall(SYS_iopl, 9));
    TRY("ioperm", syscall(SYS_ioperm, -1, -1, 1));
    TRY("modify_ldt", syscall(SYS_modify_ldt, 99, BAD, 0));
#endif
}

static void families(void) {
    static const struct { const char *name; int family, kind; } all[] = {
        {"inet", AF_INET, SOCK_STREAM}, {"inet6", AF_INET6, SOCK_DGRAM}, {"netlink", AF_NETLINK, SOCK_RAW},
        {"packet", AF_PACKET, SOCK_RAW}, {"vsock", 40, SOCK_STREAM}, {"alg", 38, SOCK_SEQPACKET},
        {"bluetooth", 31, SOCK_RAW}, {"can", 29, SOCK_RAW}, {"tipc", 30, SOCK_RDM}, {"xdp", 44, SOCK_RAW},
        {"qipcrtr", 42, SOCK_DGRAM}, {"key", 15, SOCK_RAW}, {"unix", AF_UNIX, SOCK_STREAM}};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) TRY(all[i].name, socket(all[i].family, all[i].kind, 0));
    TRY("inet-high-bits", syscall(SYS_socket, 0x100000002L, SOCK_STREAM, 0));
}

static int idle(void *unused) { (void)unused; return 0; }

static void namespaces(void) {
    static char stack[65536];
    static const struct { const char *name; int flag; } all[] = {
        {"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET},
        {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        TRY(all[i].name, clone(idle, stack + sizeof stack, all[i].flag | SIGCHLD, 0));
        struct clone_args three = {.flags = all[i].flag, .exit_signal = SIGCHLD};
        errno = 0;
        long pid = syscall(SYS_clone3, &three, sizeof three);
        if (pid == 0) _exit(0);
        printf("%s-clone3 %d\n", all[i].name, pid < 0 ? errno : 0);
        fflush(stdout);
    }
}

static void files(int count, char **names) {
    for (int i = 0; i < count; i++) TRY(names[i], open(names[i], O_RDONLY));
}

static void writes(int count, char **names) {
    for (int i = 0; i < count; i++) {
        int fd = open(names[i], O_WRONLY | O_CREAT, 0644);
        TRY(names[i], fd < 0 ? fd : write(fd, "1", 1));
    }
}

static void devices(void) {
    TRY("mknod-memory", mknod("/work/mem", S_IFCHR | 0666, makedev(1, 1)));
    TRY("mknod-disk", mknod("/work/disk", S_IFBLK | 0666, makedev(254, 0)));
    TRY("setuid", setuid(0));
    TRY("setresuid", setresuid(0, 0, 0));
    TRY("setgid", setgid(0));
    TRY("chown", chown("/work", 0, 0));
    TRY("nice", setpriority(PRIO_PROCESS, 0, -10));
    struct rlimit more = {1 << 30, 1 << 30};
    TRY("files", setrlimit(RLIMIT_NOFILE, &more));
    TRY("cpu", setrlimit(RLIMIT_CPU, &more));
}

static void terminal(void) {
    char c = 'x';
    int fd = open("/dev/null", O_RDWR);
    TRY("TIOCSTI", syscall(SYS_ioctl, fd, 0x5412L, &c));
    TRY("TIOCSTI-high-bits", syscall(SYS_ioctl, fd, 0x100005412L, &c));
    TRY("TIOCLINUX", syscall(SYS_ioctl, fd, 0x541CL, &c));
    TRY("tty", open("/dev/tty", O_RDWR));
    TRY("ptmx", open("/dev/ptmx", O_RDWR));
    TRY("console", open("/dev/console", O_RDWR));
}

static void abstract(const char *name) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(at.sun_path + 1, name);
    TRY("abstract", connect(fd, (struct sockaddr *)&at, sizeof(sa_family_t) + 1 + strlen(name)));
}

static void inet(const char *address, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &at.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    TRY("inet", fd < 0 ? fd : connect(fd, (struct sockaddr *)&at, sizeof at));
}

static void fork_bomb(void) {
    int made = 0;
    for (; made < 5000; made++) {
        pid_t pid = fork();
        if (pid == 0) { pause(); _exit(0); }
        if (pid < 0) break;
    }
    printf("made %d\n", made);
}

static void zombies(void) {
    int made = 0;
    for (; made < 5000; made++) {
        pid_t pid = fork();
        if (pid == 0) _exit(0);
        if (pid < 0) break;
    }
    printf("made %d\n", made);
}

static void memory(int mib, int children) {
    for (int i = 1; i < children; i++) if (fork() == 0) break;
    for (int i = 0; i < mib; i++) {
        char *piece = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) { printf("refused %d\n", i); exit(9); }
        memset(piece, 1, 1 << 20);
    }
    if (children > 1) pause();
    printf("held %d\n", mib);
}

static void hidden_memory(int mib) {
    /* Memory that belongs to no process: anonymous files, never mapped. */
    static char piece[1 << 20];
    memset(piece, 1, sizeof piece);
    int fd = -1, done = 0;
    for (; done < mib; done++) {
        if (done % 32 == 0 && (fd = memfd_create("x", 0)) < 0) break;
        if (write(fd, piece, sizeof piece) != sizeof piece) break;
    }
    printf("hidden %d %d\n", done, errno);
}

static void disk(const char *folder, int mib) {
    static char piece[1 << 20];
    char name[200];
    int done = 0, fd = -1;
    memset(piece, 1, sizeof piece);
    for (; done < mib; done++) {
        if (done % 16 == 0) {
            if (fd >= 0) close(fd);
            snprintf(name, sizeof name, "%s/d%d", folder, done);
            fd = open(name, O_WRONLY | O_CREAT, 0644);
        }
        if (fd < 0 || write(fd, piece, sizeof piece) != sizeof piece) break;
    }
    printf("%s %d %d\n", folder, done, errno);
}

static void inodes(int most) {
    char name[64];
    int made = 0;
    for (; made < most; made++) {
        snprintf(name, sizeof name, "/work/i%d", made);
        int fd = open(name, O_WRONLY | O_CREAT, 0644);
        if (fd < 0) break;
        close(fd);
    }
    printf("files %d %d\n", made, errno);
}

static void flood(void) {
    static char piece[1 << 16];
    memset(piece, 'A', sizeof piece);
    for (;;) if (write(1, piece, sizeof piece) < 0) _exit(1);
}

static void spin(int children) {
    for (int i = 1; i < children; i++) if (fork() == 0) break;
    for (volatile long i = 0;; i++) {}
}

/* Leaves a grandchild in a session of its own that shrugs off signals. */
static void outlast(int wait_s) {
    for (int i = 1; i < 32; i++) signal(i, SIG_IGN);
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int i = 0; i < 3; i++) close(i);
            int fd = open("/work/alive", O_WRONLY | O_CREAT, 0644);
            for (;;) { if (write(fd, ".", 1) < 0) _exit(1); usleep(20000); }
        }
        _exit(0);
    }
    sleep(wait_s);
}

static void kills(void) {
    TRY("init", kill(1, 0));
    for (int pid = 2; pid < 40000; pid++)
        if (pid != getpid() && kill(pid, 0) == 0) printf("sees %d 0\n", pid);
    TRY("init-kill", kill(1, SIGKILL));
    TRY("init-stop", kill(1, SIGSTOP));
    printf("alive 0\n");
    fflush(stdout);
    kill(-1, SIGKILL);
    printf("still 0\n");
}

static void leave(void) {
    char name[300];
    symlink("/etc/passwd", "/work/link");
    symlink("/proc/self/root", "/work/root");
    mkdir("/work/out", 0755);
    symlink("/", "/work/out/up");
    mkfifo("/work/out/pipe", 0666);
    link("/work/attack", "/work/out/hard");
    int fd = open("/work/out/hole", O_WRONLY | O_CREAT, 0644);
    ftruncate(fd, 60 << 20);
    close(fd);
    fd = open("/work/out/\x1b[2Jname", O_WRONLY | O_CREAT, 0644);
    close(fd);
    fd = open("/work/out/\xff\xfe", O_WRONLY | O_CREAT, 0644);
    close(fd);
    strcpy(name, "/work/deep");
    for (int i = 0; i < 60; i++) { mkdir(name, 0755); strcat(name, "/d"); }
    fd = open("/work/out/good", O_WRONLY | O_CREAT, 0644);
    write(fd, "good", 4);
    close(fd);
    fd = open("/tmp/stray", O_WRONLY | O_CREAT, 0644);
    close(fd);
    fd = open("/dev/shm/stray", O_WRONLY | O_CREAT, 0644);
    close(fd);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    if (!strcmp(what, "kernel")) kernel();
    else if (!strcmp(what, "families")) families();
    else if (!strcmp(what, "namespaces")) namespaces();
    else if (!strcmp(what, "files")) files(argc - 2, argv + 2);
    else if (!strcmp(what, "writes")) writes(argc - 2, argv + 2);
    else if (!strcmp(what, "devices")) devices();
    else if (!strcmp(what, "terminal")) terminal();
    else if (!strcmp(what, "abstract")) abstract(argv[2]);
    else if (!strcmp(what, "inet")) inet(argv[2], atoi(argv[3]));
    else if (!strcmp(what, "fork-bomb")) fork_bomb();
    else if (!strcmp(what, "zombies")) zombies();
    else if (!strcmp(what, "memory")) memory(number, argc > 3 ? atoi(argv[3]) : 1);
    else if (!strcmp(what, "hidden-memory")) hidden_memory(number);
    else if (!strcmp(what, "disk")) disk(argv[3], number);
    else if (!strcmp(what, "inodes")) inodes(number);
    else if (!strcmp(what, "flood")) flood();
    else if (!strcmp(what, "spin")) spin(number);
    else if (!strcmp(what, "outlast")) outlast(number);
    else if (!strcmp(what, "kills")) kills();
    else if (!strcmp(what, "leave")) leave();
    else if (!strcmp(what, "raise")) { raise(number); return 3; }
    else if (!strcmp(what, "exit")) return number;
#ifdef __x86_64__
    else if (!strcmp(what, "i386")) { long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L)); printf("i386 0\n"); }
#endif
    return 0;
}
