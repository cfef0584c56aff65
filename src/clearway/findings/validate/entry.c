/* Our entry for libFuzzer into a program that reads a file or its standard input: its main(), once for each input.
 *
 * What stands before this is generated: CLEARWAY_STDIN (1 when the input is its standard input), CLEARWAY_INPUT (the
 * file that it reads), CLEARWAY_WORDS (argv, each word with its NUL) and CLEARWAY_COUNT (how many words).
 *
 * A program that was not made to run twice in one process may crash for that alone: what is found here counts only when
 * it fires in a process of its own as well.
 */
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern int clearway_main(int argc, char **argv, char **environment);
extern char **environ;
void __real_exit(int code) __attribute__((noreturn));

static jmp_buf back;
static volatile int inside;
static int lowest = -1;

/* The linker sends every exit() here (--wrap=exit), libFuzzer's own as well. */
void __wrap_exit(int code)
{
    if (inside) {
        inside = 0;
        longjmp(back, 1);
    }
    __real_exit(code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char words[sizeof CLEARWAY_WORDS];
    char *argv[CLEARWAY_COUNT + 1], *next = words;
    size_t done = 0;
    int file, n;

    if (lowest < 0) {
        lowest = open("/dev/null", O_RDONLY);
        close(lowest);
    }
    if (chdir("/work") != 0 || (file = open(CLEARWAY_INPUT, O_WRONLY | O_CREAT | O_TRUNC, 0644)) < 0)
        return 0;
    while (done < size) {
        ssize_t wrote = write(file, data + done, size - done);
        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    close(file);
    if (done < size || (CLEARWAY_STDIN && freopen(CLEARWAY_INPUT, "rb", stdin) == NULL))
        return 0;
    memcpy(words, CLEARWAY_WORDS, sizeof words);
    for (n = 0; n < CLEARWAY_COUNT; n++, next += strlen(next) + 1)
        argv[n] = next;
    argv[n] = NULL;
    optind = 1;
    if (setjmp(back) == 0) {
        inside = 1;
        clearway_main(CLEARWAY_COUNT, argv, environ);
    }
    inside = 0;
    fflush(stdout);
    syscall(SYS_close_range, (unsigned)lowest, ~0U, 0); /* what it left open */
    return 0;
}
