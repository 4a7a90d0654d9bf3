/* The words that calls.py writes its calls with; stress.c has their meaning. */
#ifndef STRESS_H
#define STRESS_H

#include <image_packer.h>
#include <stdlib.h>
#include <string.h>

/* Values in a list, most bytes at an address, the byte that results are filled with before a call. */
enum { LIST = 32, READABLE = 64 << 10, UNTOUCHED = 0x5A, POOL = 6 };

/* The handles of one type that all threads use, live ones and released ones. */
typedef struct {
  ImageStatus (*release)(void *handle);
  void *handles[POOL];
} Pool;
extern Pool *const pools[];
extern const size_t pool_count;
extern Pool pool_ImageData, pool_ImagePackingOptions, pool_ImageSequenceOptions, pool_ImagePacker;

typedef struct {
  const char *name;
  void (*call)(void);
  unsigned weight;
} Call;
extern const Call calls[];
extern const size_t call_count;

/* Chance. */
size_t below(size_t limit);
bool given(void);
int64_t number(int64_t most); /* mostly from 0 to `most` */
uint32_t any_side(void);
double real(void);
double gain(void); /* mostly from 0 to 2 */
size_t some_size(void);
int64_t patience(void);
int32_t one_of(const int32_t *values, size_t count);
#define ONE_OF(...) one_of((const int32_t[]){__VA_ARGS__}, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

/* Arguments. */
typedef struct {
  uint8_t *bytes;
  size_t size;
} Bytes;
extern __thread const Bytes *file, *block; /* of this call: an encoded image, a block of metadata or a profile */
const void *readable(size_t size);
void *writable(size_t size);
const char *any_text(void);
const char *any_format(void);
const char *any_setting(void);
const char *any_path(void);
int any_descriptor(void);
void *take(Pool *pool);
void *dlpack(void);
void *dlpack_legacy(void);

/* Callbacks. */
void on_done(void *user, ImageStatus status, ImageData *data);
void on_item(void *user, size_t index, ImageStatus status, ImageData *data);
void on_log(void *user, int32_t level, const char *line);
int32_t on_progress(void *user, uint32_t done);
int32_t on_read(void *user, uint64_t offset, uint8_t *buffer, size_t capacity, size_t *size);
void on_release(void *user);
int32_t on_write(void *user, const uint8_t *bytes, size_t size);

/* What came back. */
void answered(ImageStatus status);
void untouched(const void *place, size_t size);
void written(ImageStatus status, void *buffer, size_t size);
void legible(const char *text);
void keep(Pool *pool, void *handle);

/* Callbacks that are still to come. */
extern size_t releases, dones;
void owe(size_t *debt);

#endif
