// Prints how many bytes a second the given number of threads read from memory:
// the bound of decoding, which reads the weights of a token once. The best of
// some passes over buffers that no cache holds.
#define _GNU_SOURCE // for binding threads to cores
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { passes = 6, maxThreads = 1024 };
static size_t bytesEach;

struct Worker {
  pthread_t id;
  double begin[passes], end[passes]; // seconds
  uint64_t sum;                      // so that the reads are not dropped
  int good;
};

static pthread_barrier_t barrier;
static struct Worker workers[maxThreads];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t readAll(const uint64_t *data) {
  uint64_t sum[32] = {0}; // several lines in flight
  for (size_t i = 0; i < bytesEach / 8; i += 32)
    for (int j = 0; j < 32; ++j)
      sum[j] += data[i + (size_t)j];
  for (int j = 1; j < 32; ++j)
    sum[0] += sum[j];
  return sum[0];
}

/// Binds a thread to one of the cores this process may use, a different one for
/// each index: two that share a core would read at half the speed.
static void bind(pthread_t id, int index) {
  cpu_set_t allowed, one;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
    return;
  int left = index % CPU_COUNT(&allowed);
  for (size_t core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed) && left-- == 0) {
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      pthread_setaffinity_np(id, sizeof(one), &one);
      return;
    }
}

// The clock is read here, not by the main thread: with all cores taken that
// one would wake up late.
static void *work(void *argument) {
  struct Worker *self = argument;
  uint64_t *data = aligned_alloc(64, bytesEach);
  if (data)
    memset(data, 1, bytesEach);
  for (int i = 0; i < passes; ++i) {
    pthread_barrier_wait(&barrier);
    self->begin[i] = now();
    if (data)
      self->sum += readAll(data);
    self->end[i] = now();
  }
  self->good = data != NULL && self->sum != 0;
  free(data);
  return NULL;
}

int main(int count, char **arguments) {
  int threads = count > 1 ? atoi(arguments[1]) : 1;
  if (threads < 1 || threads > maxThreads) {
    fprintf(stderr, "usage: read_bandwidth THREADS (1 to %d)\n", maxThreads);
    return 2;
  }
  // More than caches hold, whether there are few cores or many.
  size_t mebibytes = 1024u / (unsigned)threads;
  bytesEach = (mebibytes < 64 ? 64 : mebibytes) << 20;
  pthread_barrier_init(&barrier, NULL, (unsigned)threads);
  for (int i = 0; i < threads; ++i) {
    if (pthread_create(&workers[i].id, NULL, work, &workers[i])) {
      fprintf(stderr, "read_bandwidth: error: no thread %d\n", i);
      return 1;
    }
    bind(workers[i].id, i);
  }
  for (int i = 0; i < threads; ++i) {
    pthread_join(workers[i].id, NULL);
    if (!workers[i].good) {
      fprintf(stderr, "read_bandwidth: error: not enough memory\n");
      return 1;
    }
  }
  double best = 0;
  for (int pass = 0; pass < passes; ++pass) {
    double begin = workers[0].begin[pass], end = workers[0].end[pass];
    for (int i = 1; i < threads; ++i) {
      begin = workers[i].begin[pass] < begin ? workers[i].begin[pass] : begin;
      end = workers[i].end[pass] > end ? workers[i].end[pass] : end;
    }
    double speed = (double)bytesEach * threads / (end - begin);
    best = speed > best ? speed : best;
  }
  printf("%.0f\n", best);
  return 0;
}
