/* A malloc of the program's own that counts what is allocated, by the library and its codecs as well. */
#ifndef COUNTED_H
#define COUNTED_H

#include <malloc.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static long held, most; /* bytes that are allocated now, and at the worst moment since the last `measure` */

static void *taken(void *block) {
  if (block == NULL) return NULL;
  long now = __atomic_add_fetch(&held, (long)malloc_usable_size(block), __ATOMIC_RELAXED);
  long before = __atomic_load_n(&most, __ATOMIC_RELAXED);
  while (now > before && !__atomic_compare_exchange_n(&most, &before, now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return block;
}
static void given_back(void *block) {
  if (block != NULL) __atomic_sub_fetch(&held, (long)malloc_usable_size(block), __ATOMIC_RELAXED);
}
void *malloc(size_t size) { return taken(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return taken(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { return taken(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return taken(__libc_memalign(alignment, size)); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = taken(__libc_memalign(alignment, size));
  return *block == NULL ? ENOMEM : 0;
}
void *realloc(void *block, size_t size) {
  long old = block == NULL ? 0 : (long)malloc_usable_size(block);
  void *moved = __libc_realloc(block, size);
  if (moved != NULL || size == 0) __atomic_sub_fetch(&held, old, __ATOMIC_RELAXED);
  return taken(moved);
}
void free(void *block) {
  given_back(block);
  __libc_free(block);
}

#endif
