/* Fails the n-th call that writes to files under a folder: preloaded, so that it reaches every library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char under[4096];
static long left, seen;
static int number, syncs_only;

/* Count calls under a folder from now on, or only those that sync, and fail the n-th; no folder: no more. */
void fault_at(const char *folder, long n, int error, int syncs) {
    strncpy(under, folder, sizeof under - 1);
    syncs_only = syncs;
    left = n;
    seen = 0;
    number = error;
}

long fault_count(void) { return seen; }

static int fails(const char *path) {
    if (!under[0] || strncmp(path, under, strlen(under)) != 0)
        return 0;
    if (++seen != left)
        return 0;
    errno = number;
    return 1;
}

static int fails_of(int file, int syncs) {
    char link[64], path[4096];
    if (!under[0] || (syncs_only && !syncs))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return fails(path);
}

#define REAL(type, name, ...)                                     \
    static type (*real)(__VA_ARGS__);                             \
    if (!real)                                                    \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define ON_FILE(type, name, parameters, arguments, ...)           \
    type name parameters {                                        \
        REAL(type, #name, __VA_ARGS__);                           \
        return fails_of(file, strstr(#name, "sync") != 0) ? -1 : real arguments;              \
    }

ON_FILE(int, fsync, (int file), (file), int)
ON_FILE(int, fdatasync, (int file), (file), int)
ON_FILE(ssize_t, write, (int file, const void *from, size_t size), (file, from, size), int, const void *, size_t)
ON_FILE(ssize_t, writev, (int file, const struct iovec *from, int n), (file, from, n), int, const struct iovec *, int)
ON_FILE(ssize_t, pwrite, (int file, const void *from, size_t size, off_t at), (file, from, size, at), int,
        const void *, size_t, off_t)
ON_FILE(ssize_t, pwrite64, (int file, const void *from, size_t size, off64_t at), (file, from, size, at), int,
        const void *, size_t, off64_t)
ON_FILE(int, ftruncate, (int file, off_t size), (file, size), int, off_t)
ON_FILE(int, ftruncate64, (int file, off64_t size), (file, size), int, off64_t)

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return !syncs_only && fails(to) ? -1 : real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *);
    return !syncs_only && fails(to) ? -1 : real(from_folder, from, to_folder, to);
}
