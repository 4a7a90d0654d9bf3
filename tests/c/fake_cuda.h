/* A CUDA driver and an nvJPEG that are none: test doubles of the calls that the library makes, found by their names
 * like the real ones. Memory "of the device" faults when the host touches it; what a stream was given to do happens
 * only when somebody waits for it; every call is noted, and any one can be made to fail. The JPEG is a line of text
 * about what was asked for. */
#ifndef FAKE_CUDA_H
#define FAKE_CUDA_H

#include <stddef.h>
#include <stdint.h>

#define FAKE_DEVICES 2
#define FAKE_ERROR 719 /* CUDA_ERROR_LAUNCH_FAILED */

typedef struct {
  const char *name;
  void *stream; /* NULL for calls without one */
} FakeCall;

typedef struct {
  /* Forgets the calls. Call number `fail_at` from now on fails; 0: none. */
  void (*reset)(int fail_at);
  int (*calls)(void);
  FakeCall (*call)(int index);
  /* Contexts, streams, events and nvJPEG's objects that have not been given back. */
  int (*live)(void);
  /* Contexts that were pushed and not popped, on all threads. */
  int (*pushed)(void);
  void *(*memory)(size_t size);
  void *(*stream)(void);
  /* Gives a stream a copy into the device's memory to do. */
  void (*produce)(void *stream, void *device, const void *from, size_t size);
} FakeControl;

/* Exported as `fake_cuda_control` by the driver. */
typedef const FakeControl *(*FakeControlFn)(void);

/* What the encoder answers for these pixels. `at` and `pitch` as nvjpegImage_t has them. */
static inline uint64_t fake_hash(uint64_t hash, const uint8_t *row, size_t size) {
  for (size_t i = 0; i < size; ++i) hash = (hash ^ row[i]) * 1099511628211u;
  return hash;
}

#endif
