/* See fake_cuda.h. Compiled twice: as libcuda.so.1, and with FAKE_NVJPEG as libnvjpeg.so.12. */
#define _GNU_SOURCE
#include "fake_cuda.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Between the two libraries. */
int fake_enter(const char *name, void *stream, bool needs_context);
void fake_leave(void);
void fake_count(int change);
void *fake_object(int kind);
bool fake_is(void *object, int kind);
const uint8_t *fake_device_bytes(const void *address, size_t size);
void fake_settle(void *stream);
void fake_later(void *stream, void *to, const void *from, size_t size);
void fake_broken(const char *why);

enum { CONTEXT = 0x4354, STREAM, EVENT, HANDLE, STATE, PARAMS };

#ifndef FAKE_NVJPEG

typedef struct {
  uint8_t *to, *from;
  size_t size;
} Copy;

typedef struct {
  int kind;
  Copy copies[64];
  int given, done;
  struct {
    void *stream;
    int given;
  } awaited[64];
  int awaits;
} Stream;

typedef struct {
  int kind;
  Stream *stream;
  int given;
} Event;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FakeCall calls[1 << 16];
static int count, fail_at, live, pushed;
static int retained[FAKE_DEVICES];
static int contexts[FAKE_DEVICES] = {CONTEXT, CONTEXT};
static Stream default_stream = {.kind = STREAM};
static __thread int depth;
static pid_t process;
static struct {
  uint8_t *device, *host;
  size_t size;
} memory[256];
static int memories;

void fake_broken(const char *why) {
  fprintf(stderr, "fake_cuda: %s\n", why);
  abort();
}

/* Notes a call and answers whether it fails; the lock is held until fake_leave(). */
int fake_enter(const char *name, void *stream, bool needs_context) {
  pthread_mutex_lock(&lock);
  if (process != 0 && process != getpid()) fake_broken("called in a forked child");
  if (needs_context && depth == 0) fake_broken("called without a context");
  if (count < (int)(sizeof calls / sizeof *calls)) calls[count] = (FakeCall){name, stream};
  return ++count == fail_at;
}
void fake_leave(void) { pthread_mutex_unlock(&lock); }
void fake_count(int change) { live += change; }

void *fake_object(int kind) {
  int *object = calloc(1, kind == STREAM ? sizeof(Stream) : 4096);
  *object = kind;
  ++live;
  return object;
}
bool fake_is(void *object, int kind) { return object != NULL && *(int *)object == kind; }

static Stream *stream_of(void *stream) {
  if ((uintptr_t)stream <= 2) return &default_stream;
  if (!fake_is(stream, STREAM)) fake_broken("not a stream");
  return stream;
}

static void run(Stream *stream, int given) {
  for (; stream->done < given; ++stream->done) {
    Copy copy = stream->copies[stream->done % 64];
    memcpy(copy.to, copy.from, copy.size);
    free(copy.from);
  }
}

/* Lets all happen that this stream waits for, then all that it was given. */
void fake_settle(void *handle) {
  Stream *stream = stream_of(handle);
  for (int i = 0; i < stream->awaits; ++i) run(stream->awaited[i].stream, stream->awaited[i].given);
  stream->awaits = 0;
  run(stream, stream->given);
}

void fake_later(void *handle, void *to, const void *from, size_t size) {
  Stream *stream = stream_of(handle);
  Copy copy = {to, malloc(size), size};
  if (stream->given - stream->done >= 64) fake_broken("too much for a stream");
  memcpy(copy.from, from, size);
  stream->copies[stream->given++ % 64] = copy;
}

const uint8_t *fake_device_bytes(const void *address, size_t size) {
  const uint8_t *at = address;
  for (int i = 0; i < memories; ++i)
    if (at >= memory[i].device && at + size <= memory[i].device + memory[i].size)
      return memory[i].host + (at - memory[i].device);
  fake_broken("not memory of the device");
  return NULL;
}

#define CALL(stream, needs_context, ...)                                 \
  do {                                                                   \
    int failed_ = fake_enter(__func__, (void *)(stream), needs_context); \
    if (!failed_) {                                                      \
      __VA_ARGS__;                                                       \
    }                                                                    \
    fake_leave();                                                        \
    return failed_ ? FAKE_ERROR : 0;                                     \
  } while (0)
/* For the ends of things, which happen even if they answer an error. */
#define END(stream, ...)                                        \
  do {                                                          \
    int failed_ = fake_enter(__func__, (void *)(stream), true); \
    __VA_ARGS__;                                                \
    fake_leave();                                               \
    return failed_ ? FAKE_ERROR : 0;                            \
  } while (0)

int cuInit(unsigned flags) { CALL(NULL, false, process = getpid(); if (flags != 0) fake_broken("flags")); }
int cuGetErrorName(int status, const char **name) {
  *name = status == FAKE_ERROR ? "CUDA_ERROR_LAUNCH_FAILED" : NULL;
  return 0;
}
int cuDeviceGetCount(int *devices) { CALL(NULL, false, *devices = FAKE_DEVICES); }
int cuDeviceGet(int *device, int ordinal) { CALL(NULL, false, *device = ordinal + 100); }
int cuDevicePrimaryCtxRetain(void **context, int device) {
  CALL(NULL, false, ++retained[device - 100]; ++live; *context = &contexts[device - 100]);
}
int cuDevicePrimaryCtxRelease_v2(int device) {
  int failed = fake_enter(__func__, NULL, false);
  if (--retained[device - 100] < 0) fake_broken("released more often than retained");
  --live;
  fake_leave();
  return failed ? FAKE_ERROR : 0;
}
int cuCtxPushCurrent_v2(void *context) {
  CALL(NULL, false, if (!fake_is(context, CONTEXT)) fake_broken("not a context"); ++depth; ++pushed);
}
int cuCtxPopCurrent_v2(void **context) { END(NULL, --depth; --pushed; *context = &contexts[0]); }
int cuStreamCreate(void **stream, unsigned flags) {
  CALL(NULL, true, if (flags != 1) fake_broken("a stream that waits for others"); *stream = fake_object(STREAM));
}
int cuStreamDestroy_v2(void *stream) { END(stream, stream_of(stream)->kind = 0; --live; free(stream)); }
int cuStreamSynchronize(void *stream) { CALL(stream, true, fake_settle(stream)); }
int cuStreamWaitEvent(void *stream, void *event, unsigned flags) {
  CALL(stream, true, Stream *waits = stream_of(stream); Event *point = event;
       if (flags != 0 || !fake_is(event, EVENT)) fake_broken("not an event");
       if (waits->awaits == 64) fake_broken("waits too often"); waits->awaited[waits->awaits].stream = point->stream;
       waits->awaited[waits->awaits++].given = point->given);
}
int cuEventCreate(void **event, unsigned flags) {
  CALL(NULL, true, if (flags != 2) fake_broken("an event that takes the time"); *event = fake_object(EVENT));
}
int cuEventRecord(void *event, void *stream) {
  CALL(stream, true, Event *point = event; if (!fake_is(event, EVENT)) fake_broken("not an event");
       point->stream = stream_of(stream); point->given = point->stream->given);
}
int cuEventDestroy_v2(void *event) {
  END(NULL, if (!fake_is(event, EVENT)) fake_broken("not an event"); *(int *)event = 0; --live; free(event));
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *stream) {
  /* Into memory that is not pinned: done when the call returns. */
  CALL(stream, true, fake_settle(stream); memcpy(to, fake_device_bytes((void *)(uintptr_t)from, size), size));
}

static void reset(int at) {
  pthread_mutex_lock(&lock);
  count = 0;
  fail_at = at;
  pthread_mutex_unlock(&lock);
}
static int call_count(void) { return count; }
static FakeCall call_at(int index) { return calls[index]; }
static int live_count(void) { return live; }
static int pushed_count(void) { return pushed; }
static void *new_memory(size_t size) {
  int file = memfd_create("device", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, (off_t)size) != 0) fake_broken("no memory");
  memory[memories].host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  memory[memories].device = mmap(NULL, size, PROT_NONE, MAP_SHARED, file, 0);
  memory[memories].size = size;
  close(file);
  return memory[memories++].device;
}
static void *new_stream(void) {
  Stream *stream = calloc(1, sizeof *stream);
  stream->kind = STREAM;
  return stream;
}
static void produce(void *stream, void *device, const void *from, size_t size) {
  pthread_mutex_lock(&lock);
  fake_later(stream, (void *)fake_device_bytes(device, size), from, size);
  pthread_mutex_unlock(&lock);
}

const FakeControl *fake_cuda_control(void);
const FakeControl *fake_cuda_control(void) {
  static const FakeControl control = {reset,        call_count, call_at,    live_count,
                                      pushed_count, new_memory, new_stream, produce};
  return &control;
}

#else

typedef struct {
  int kind;
  char text[200];
} State;
typedef struct {
  int kind, quality, encoding, huffman, sampling;
} Params;
typedef struct {
  unsigned char *channel[4];
  size_t pitch[4];
} Image;

#define CALL(stream, ...)                                        \
  do {                                                           \
    int failed_ = fake_enter(__func__, (void *)(stream), true);  \
    if (!failed_) {                                              \
      __VA_ARGS__;                                               \
    }                                                            \
    fake_leave();                                                \
    return failed_ ? 6 : 0; /* NVJPEG_STATUS_EXECUTION_FAILED */ \
  } while (0)
#define END(object, of)                                      \
  do {                                                       \
    int failed_ = fake_enter(__func__, NULL, true);          \
    if (!fake_is(object, of)) fake_broken("a wrong object"); \
    *(int *)object = 0;                                      \
    fake_count(-1);                                          \
    free(object);                                            \
    fake_leave();                                            \
    return failed_ ? 6 : 0;                                  \
  } while (0)
#define SET(field) \
  CALL(stream, if (!fake_is(params, PARAMS)) fake_broken("not parameters"); ((Params *)params)->field = value)

int nvjpegGetProperty(int property, int *value) { CALL(NULL, *value = (const int[]){12, 4, 1}[property]); }
int nvjpegCreateSimple(void **handle) { CALL(NULL, *handle = fake_object(HANDLE)); }
int nvjpegDestroy(void *handle) { END(handle, HANDLE); }
int nvjpegEncoderStateCreate(void *handle, void **state, void *stream) {
  CALL(stream, if (!fake_is(handle, HANDLE)) fake_broken("not a handle"); *state = fake_object(STATE));
}
int nvjpegEncoderStateDestroy(void *state) { END(state, STATE); }
int nvjpegEncoderParamsCreate(void *handle, void **params, void *stream) {
  CALL(stream, if (!fake_is(handle, HANDLE)) fake_broken("not a handle"); *params = fake_object(PARAMS));
}
int nvjpegEncoderParamsDestroy(void *params) { END(params, PARAMS); }
int nvjpegEncoderParamsSetQuality(void *params, int value, void *stream) { SET(quality); }
int nvjpegEncoderParamsSetEncoding(void *params, int value, void *stream) { SET(encoding); }
int nvjpegEncoderParamsSetOptimizedHuffman(void *params, int value, void *stream) { SET(huffman); }
int nvjpegEncoderParamsSetSamplingFactors(void *params, int value, void *stream) { SET(sampling); }

int nvjpegEncodeImage(void *handle, void *state, void *params, const Image *image, int format, int width, int height,
                      void *stream) {
  CALL(stream,
       if (!fake_is(handle, HANDLE) || !fake_is(state, STATE) || !fake_is(params, PARAMS)) fake_broken("wrong objects");
       fake_settle(stream); Params *set = params; uint64_t hash = 14695981039346656037u;
       size_t row = format >= 5 ? 3 * (size_t)width : (size_t)width;
       for (int plane = 0; plane < (format >= 5 ? 1 : 3); ++plane) for (int y = 0; y < height; ++y) hash =
           fake_hash(hash, fake_device_bytes(image->channel[plane] + image->pitch[plane] * (size_t)y, row), row);
       snprintf(((State *)state)->text, sizeof((State *)state)->text,
                "quality %d encoding %x huffman %d sampling %d format %d size %dx%d pixels %016llx", set->quality,
                (unsigned)set->encoding, set->huffman, set->sampling, format, width, height, (unsigned long long)hash));
}
int nvjpegEncodeRetrieveBitstream(void *handle, void *state, unsigned char *data, size_t *length, void *stream) {
  CALL(
      stream, State *from = state; if (!fake_is(handle, HANDLE) || !fake_is(state, STATE)) fake_broken("wrong objects");
      size_t size = strlen(from->text); if (data != NULL) {
        if (*length < size) fake_broken("too little room");
        fake_later(stream, data, from->text, size);
      } *length = size);
}

#endif
