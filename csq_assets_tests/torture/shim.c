/* Preloaded into a process: counts what it does to files below some folders, and at a chosen one ends
 * the process or lets the disk be full. It also sets the clock off.
 *
 * TORTURE_COUNTER   a file of 8 bytes, shared by all processes: how much was done so far
 * TORTURE_PATHS     folders or files, separated by ':'; what is done elsewhere does not count
 * TORTURE_LOG       a file that gets a line for each deed, if set
 * TORTURE_AT        the deed that is hit, from 1; 0 for none
 * TORTURE_ACTION    kill: the process group, before the deed; of a write, half is done
 *                   full: this deed and all later ones that need room fail with ENOSPC
 *                   readonly: this deed and all later ones fail with EROFS
 * TORTURE_TEARS     1: of writes to DuckDB's file, half is done as well
 * TORTURE_CLOCK     seconds that the clock is off
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

enum { NEEDS_ROOM = 1, IS_WRITE = 2 };

static volatile long *counter;
static char paths[4096];
static long hit_at, clock_off;
static int is_full, is_read_only, tears, log_file = -1;

/* Called when the library is loaded, and again by a process that was forked with other settings. */
__attribute__((constructor)) void torture_arm(void) {
    const char *value;
    counter = NULL;
    if (log_file >= 0) close(log_file);
    log_file = -1;
    clock_off = (value = getenv("TORTURE_CLOCK")) ? atol(value) : 0;
    hit_at = (value = getenv("TORTURE_AT")) ? atol(value) : 0;
    is_full = (value = getenv("TORTURE_ACTION")) && !strcmp(value, "full");
    is_read_only = value && !strcmp(value, "readonly");
    tears = (value = getenv("TORTURE_TEARS")) && *value == '1';
    snprintf(paths, sizeof paths, "%s", (value = getenv("TORTURE_PATHS")) ? value : "");
    if ((value = getenv("TORTURE_LOG"))) {
        int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
        log_file = real_open(value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    if ((value = getenv("TORTURE_COUNTER"))) {
        int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
        int file = real_open(value, O_RDWR | O_CLOEXEC);
        if (file >= 0) {
            void *page = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            close(file);
            if (page != MAP_FAILED) counter = page;
        }
    }
}

static int counts(const char *path) {
    for (const char *start = paths; *start;) {
        size_t length = strcspn(start, ":");
        if (length && !strncmp(path, start, length)) return 1;
        start += length + (start[length] == ':');
    }
    return 0;
}

/* Whether the deed has to fail; -1 where half a write is to be done, then the end. */
static int deed(const char *name, const char *path, int kind) {
    if (!counter || !counts(path)) return 0;
    long number = __sync_add_and_fetch(counter, 1);
    if (log_file >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, name, path);
        ssize_t (*real_write)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        if (real_write(log_file, line, length) < 0) {}
    }
    if (!hit_at || number < hit_at) return 0;
    if (is_read_only) return 1;
    if (is_full) return (kind & NEEDS_ROOM) != 0;
    if (number > hit_at) return 0; /* another thread, which ends in a moment */
    /* DuckDB writes blocks of metadata anew in place, and half of one is damage, which csq tells with the
     * remedy: a trial of its own. See docs/reliability.md. */
    size_t length = strlen(path);
    int is_duckdb = length >= 7 && !strcmp(path + length - 7, ".duckdb");
    if ((kind & IS_WRITE) && (tears || !is_duckdb)) return -1;
    kill(0, SIGKILL);
    for (;;) pause();
}

static int deed_at(const char *name, int folder, const char *path, int kind) {
    char full[PATH_MAX * 2], base[PATH_MAX], link[64];
    if (!path) path = "";
    if (path[0] == '/') return deed(name, path, kind);
    if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, base, sizeof base - 1);
    if (length < 0) return 0;
    base[length] = 0;
    snprintf(full, sizeof full, "%s/%s", base, path);
    return deed(name, full, kind);
}

static int deed_on(const char *name, int file, int kind) {
    char path[PATH_MAX], link[64];
    if (!counter) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return deed(name, path, kind);
}

#define REFUSAL (is_read_only ? EROFS : ENOSPC)
#define NO_ROOM do { errno = REFUSAL; return -1; } while (0)
#define END do { kill(0, SIGKILL); for (;;) pause(); } while (0)

ssize_t write(int file, const void *bytes, size_t size) {
    REAL(write);
    int what = deed_on("write", file, NEEDS_ROOM | IS_WRITE);
    if (what > 0) NO_ROOM;
    if (what < 0) { if (real(file, bytes, size / 2) < 0) {} END; }
    return real(file, bytes, size);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
    REAL(pwrite);
    int what = deed_on("pwrite", file, NEEDS_ROOM | IS_WRITE);
    if (what > 0) NO_ROOM;
    if (what < 0) { if (real(file, bytes, size / 2, at) < 0) {} END; }
    return real(file, bytes, size, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    REAL(pwrite64);
    int what = deed_on("pwrite", file, NEEDS_ROOM | IS_WRITE);
    if (what > 0) NO_ROOM;
    if (what < 0) { if (real(file, bytes, size / 2, at) < 0) {} END; }
    return real(file, bytes, size, at);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev);
    int what = deed_on("writev", file, NEEDS_ROOM | IS_WRITE);
    if (what > 0) NO_ROOM;
    if (what < 0) END;
    return real(file, parts, count);
}

ssize_t copy_file_range(int from, off64_t *at, int file, off64_t *to, size_t size, unsigned flags) {
    REAL(copy_file_range);
    int what = deed_on("copy", file, NEEDS_ROOM | IS_WRITE);
    if (what > 0) NO_ROOM;
    if (what < 0) { if (real(from, at, file, to, size / 2, flags) < 0) {} END; }
    return real(from, at, file, to, size, flags);
}

ssize_t sendfile(int file, int from, off_t *at, size_t size) {
    REAL(sendfile);
    int what = deed_on("copy", file, NEEDS_ROOM | IS_WRITE);
    if (what > 0) NO_ROOM;
    if (what < 0) { if (real(file, from, at, size / 2) < 0) {} END; }
    return real(file, from, at, size);
}

ssize_t sendfile64(int file, int from, off64_t *at, size_t size) {
    REAL(sendfile64);
    int what = deed_on("copy", file, NEEDS_ROOM | IS_WRITE);
    if (what > 0) NO_ROOM;
    if (what < 0) { if (real(file, from, at, size / 2) < 0) {} END; }
    return real(file, from, at, size);
}

#define ON_FILE(type, name, kind, declared, ...) \
    type name declared { \
        REAL(name); \
        if (deed_on(#name, file, kind) > 0) NO_ROOM; \
        return real(__VA_ARGS__); \
    }

ON_FILE(int, fsync, 0, (int file), file)
ON_FILE(int, fdatasync, 0, (int file), file)
ON_FILE(int, ftruncate, 0, (int file, off_t size), file, size)
ON_FILE(int, ftruncate64, 0, (int file, off64_t size), file, size)
ON_FILE(int, fallocate, NEEDS_ROOM, (int file, int mode, off_t at, off_t size), file, mode, at, size)

int posix_fallocate(int file, off_t at, off_t size) {
    REAL(posix_fallocate);
    if (deed_on("posix_fallocate", file, NEEDS_ROOM) > 0) return REFUSAL;
    return real(file, at, size);
}

#define ON_PATH(name, shown, kind, folder, path, declared, ...) \
    int name declared { \
        REAL(name); \
        if (deed_at(shown, folder, path, kind) > 0) NO_ROOM; \
        return real(__VA_ARGS__); \
    }

ON_PATH(unlink, "unlink", 0, AT_FDCWD, path, (const char *path), path)
ON_PATH(unlinkat, "unlink", 0, dir, path, (int dir, const char *path, int flags), dir, path, flags)
ON_PATH(rmdir, "rmdir", 0, AT_FDCWD, path, (const char *path), path)
ON_PATH(truncate, "truncate", 0, AT_FDCWD, path, (const char *path, off_t size), path, size)
ON_PATH(mkdir, "mkdir", NEEDS_ROOM, AT_FDCWD, path, (const char *path, mode_t mode), path, mode)
ON_PATH(mkdirat, "mkdir", NEEDS_ROOM, dir, path, (int dir, const char *path, mode_t mode), dir, path, mode)
ON_PATH(rename, "rename", NEEDS_ROOM, AT_FDCWD, to, (const char *from, const char *to), from, to)
ON_PATH(renameat, "rename", NEEDS_ROOM, dir, to, (int old, const char *from, int dir, const char *to), old, from, dir, to)
ON_PATH(renameat2, "rename", NEEDS_ROOM, dir, to, (int old, const char *from, int dir, const char *to, unsigned flags), old, from, dir, to, flags)
ON_PATH(link, "link", NEEDS_ROOM, AT_FDCWD, to, (const char *from, const char *to), from, to)
ON_PATH(linkat, "link", NEEDS_ROOM, dir, to, (int old, const char *from, int dir, const char *to, int flags), old, from, dir, to, flags)
ON_PATH(symlink, "link", NEEDS_ROOM, AT_FDCWD, to, (const char *from, const char *to), from, to)

#define OPEN(name, folder, declared, ...) \
    int name declared { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
        if (flags & (O_CREAT | O_TRUNC)) \
            if (deed_at("create", folder, path, flags & O_CREAT ? NEEDS_ROOM : 0) > 0 \
                && (is_read_only || access(path, F_OK))) NO_ROOM; \
        return real(__VA_ARGS__, mode); \
    }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), path, flags)
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), path, flags)
OPEN(openat, dir, (int dir, const char *path, int flags, ...), dir, path, flags)
OPEN(openat64, dir, (int dir, const char *path, int flags, ...), dir, path, flags)

int creat(const char *path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

/* The clock, as far as programs read it through the C library. */

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += clock_off;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(gettimeofday);
    int failed = real(now, zone);
    if (!failed) now->tv_sec += clock_off;
    return failed;
}

time_t time(time_t *now) {
    REAL(time);
    time_t found = real(NULL) + clock_off;
    if (now) *now = found;
    return found;
}
