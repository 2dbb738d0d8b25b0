/* Loaded before the C library: the wall clock stands at STOPPED_CLOCK seconds since 1970,
 * every other clock runs. See clock.rs. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t stopped(void) {
  const char *seconds = getenv("STOPPED_CLOCK");
  return seconds ? (time_t)atoll(seconds) : 0;
}

#ifdef __APPLE__

#define REPLACE(with, what) \
  __attribute__((used, section("__DATA,__interpose"))) static struct { const void *a, *b; } what##_replaced = {(const void *)with, (const void *)what}

static int our_clock_gettime(clockid_t id, struct timespec *out) {
  if (id != CLOCK_REALTIME) return clock_gettime(id, out);
  *out = (struct timespec){stopped(), 0};
  return 0;
}
static int our_gettimeofday(struct timeval *out, void *zone) {
  (void)zone;
  *out = (struct timeval){stopped(), 0};
  return 0;
}
REPLACE(our_clock_gettime, clock_gettime);
REPLACE(our_gettimeofday, gettimeofday);

#else

#include <sys/syscall.h>

int clock_gettime(clockid_t id, struct timespec *out) {
  if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) return (int)syscall(SYS_clock_gettime, id, out);
  *out = (struct timespec){stopped(), 0};
  return 0;
}
int gettimeofday(struct timeval *out, void *zone) {
  (void)zone;
  *out = (struct timeval){stopped(), 0};
  return 0;
}
time_t time(time_t *out) {
  if (out) *out = stopped();
  return stopped();
}

#endif
