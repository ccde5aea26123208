/* The disk alone: what an open loop of durable appends costs without any broker.
 *
 *     disk DIRECTORY MB_PER_SECOND SECONDS BLOCK_KIB
 *
 * Two files take turns of blocks at the given rate in all, one thread each. A thread writes what is due, at most 1 MiB at
 * once, with one direct pwrite into preallocated blocks, calls fdatasync, and goes on: the least that an acknowledgement of
 * those bytes on disk takes. The latency of a block counts from the moment it was due, so that waiting for the disk is in
 * it. Prints JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 2, WRITE_MAX = 1 << 20, ALIGNMENT = 4096 };

static double rate, seconds;
static size_t block_bytes;

struct lane {
    pthread_t thread;
    char path[4096];
    size_t blocks;
    double *latencies; /* Of each block, in seconds. */
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check(int failed, const char *what) {
    if (failed) {
        fprintf(stderr, "disk: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void *run(void *argument) {
    struct lane *lane = argument;
    int file = open(lane->path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600);
    check(file < 0, "open");
    check(fallocate(file, 0, 0, (off_t)(lane->blocks * block_bytes)), "fallocate");
    check(fsync(file), "fsync");
    char *memory = aligned_alloc(ALIGNMENT, WRITE_MAX);
    check(memory == NULL, "memory");
    for (size_t at = 0; at < WRITE_MAX; at++) memory[at] = (char)rand();
    double interval = (double)block_bytes * FILES / rate, begin = now();
    for (size_t done = 0; done < lane->blocks;) {
        double wait = begin + (double)done * interval - now();
        if (wait > 0) {
            struct timespec pause = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
            nanosleep(&pause, NULL);
        }
        size_t due = (size_t)((now() - begin) / interval) + 1;
        if (due > lane->blocks) due = lane->blocks;
        size_t count = due - done, most = WRITE_MAX / block_bytes;
        if (count > most) count = most;
        ssize_t written = pwrite(file, memory, count * block_bytes, (off_t)(done * block_bytes));
        check(written != (ssize_t)(count * block_bytes), "pwrite");
        check(fdatasync(file), "fdatasync");
        double end = now();
        for (size_t last = done + count; done < last; done++) lane->latencies[done] = end - (begin + (double)done * interval);
    }
    close(file);
    unlink(lane->path);
    free(memory);
    return NULL;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

int main(int count, char **values) {
    if (count != 5) {
        fprintf(stderr, "usage: disk DIRECTORY MB_PER_SECOND SECONDS BLOCK_KIB\n");
        return 2;
    }
    rate = atof(values[2]) * 1e6;
    seconds = atof(values[3]);
    block_bytes = (size_t)atoi(values[4]) << 10;
    if (rate <= 0 || seconds <= 0 || block_bytes == 0 || block_bytes % ALIGNMENT || block_bytes > WRITE_MAX) {
        fprintf(stderr, "disk: a rate, a time and a multiple of 4 KiB up to 1,024 are needed\n");
        return 2;
    }
    size_t each = (size_t)(rate * seconds / (double)block_bytes / FILES);
    double *all = calloc(each * FILES, sizeof *all);
    check(all == NULL, "memory");
    struct lane lanes[FILES];
    for (int index = 0; index < FILES; index++) {
        lanes[index].blocks = each;
        lanes[index].latencies = all + each * (size_t)index;
        snprintf(lanes[index].path, sizeof lanes[index].path, "%s/disk-alone-%d", values[1], index);
        check(pthread_create(&lanes[index].thread, NULL, run, &lanes[index]), "thread");
    }
    for (int index = 0; index < FILES; index++) pthread_join(lanes[index].thread, NULL);
    size_t total = each * FILES;
    qsort(all, total, sizeof *all, compare);
    printf("{\"blocks\": %zu, \"block_bytes\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p99_9_ms\": %.3f, \"max_ms\": %.3f}\n",
           total, block_bytes, all[total / 2] * 1e3, all[total * 99 / 100] * 1e3, all[total * 999 / 1000] * 1e3, all[total - 1] * 1e3);
    free(all);
    return 0;
}
