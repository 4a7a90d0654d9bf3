/* The files that pack_to_file meets in the tests of its faults, and what must be in them afterwards. */
#ifndef OLD_FILES_H
#define OLD_FILES_H

#include "host.h"

#define LONG_FILE 20000u

typedef struct {
  const char *name;
  size_t size; /* before the pack, filled by host_fill() */
  off_t start; /* the descriptor's offset */
  int flags;   /* and how it is open */
  bool sync;
  bool traced; /* also in the slower matrix under strace */
} OldFile;

static const OldFile old_files[] = {
    {"new", 0, 0, O_RDWR, false, true},
    {"shorter", 300, 0, O_RDWR, false, false},
    {"longer", LONG_FILE, 0, O_RDWR, false, true},
    {"longer, synced", LONG_FILE, 0, O_RDWR, true, true},
    {"further in", LONG_FILE, 1000, O_RDWR, false, true},
    {"over the end", 1200, 1000, O_RDWR, false, false},
    {"append", 300, 0, O_RDWR | O_APPEND, false, false},
    {"append, synced", 300, 0, O_RDWR | O_APPEND, true, true},
    {"append, write-only, synced", 300, 0, O_WRONLY | O_APPEND, true, false},
    {"write-only", LONG_FILE, 0, O_WRONLY, false, true},
    {"write-only, new", 0, 0, O_WRONLY, true, false},
};
#define OLD_FILES (sizeof old_files / sizeof *old_files)

/* Where the image goes. */
static size_t old_file_start(const OldFile *old) { return old->flags & O_APPEND ? old->size : (size_t)old->start; }

/* A failed pack leaves this. */
static bool old_file_is_whole(const OldFile *old, HostBytes file) {
  return file.size == old->size && host_is_filled(file.bytes, 0, old->size);
}

/* A pack that succeeded leaves this: from the start of a file the image is all of it, further in the tail stays. */
static bool old_file_is_packed(const OldFile *old, HostBytes file, HostBytes image) {
  size_t start = old_file_start(old), end = start + image.size, size = end < old->size && start > 0 ? old->size : end;
  return file.size == size && host_is_filled(file.bytes, 0, start) &&
         memcmp(file.bytes + start, image.bytes, image.size) == 0 && host_is_filled(file.bytes, end, size);
}

#endif
