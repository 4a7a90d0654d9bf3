/* The fuzz targets without libFuzzer: a fixed number of changes to the files of a folder, the same in every run.
 * Arguments: the folder, the number of changes. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define MOST_BYTES (64 << 10)
#define MOST_FILES 100

static uint64_t state = 1;

static size_t below(size_t limit) {
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return limit == 0 ? 0 : (size_t)(state >> 33) % limit;
}

static struct {
  uint8_t *bytes;
  size_t size;
} files[MOST_FILES];
static size_t file_count;

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void load(const char *folder) {
  struct dirent **names;
  int count = scandir(folder, &names, NULL, by_name);
  for (int i = 0; i < count; ++i) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
    FILE *file = names[i]->d_name[0] == '.' ? NULL : fopen(path, "rb");
    if (file != NULL && file_count < MOST_FILES) {
      uint8_t *bytes = malloc(MOST_BYTES);
      files[file_count].bytes = bytes;
      files[file_count++].size = bytes == NULL ? 0 : fread(bytes, 1, MOST_BYTES, file);
    }
    if (file != NULL) fclose(file);
    free(names[i]);
  }
  if (count >= 0) free(names);
}

static size_t changed(const uint8_t *bytes, size_t size, uint8_t *out) {
  static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
  memcpy(out, bytes, size);
  for (size_t count = 1 + below(4); count > 0 && size > 0; --count) {
    /* Heads have more to say than pixels. */
    size_t at = below(below(2) ? size : size < 600 ? size : 600);
    switch (below(6)) {
      case 0:
        out[at] ^= (uint8_t)(1u << below(8));
        break;
      case 1:
        out[at] = telling[below(sizeof telling)];
        break;
      case 2:
        out[at] = (uint8_t)below(256);
        break;
      case 3: { /* a piece from elsewhere */
        size_t from = below(size), length = below(32);
        if (length > size - at) length = size - at;
        if (length > size - from) length = size - from;
        memmove(out + at, out + from, length);
        break;
      }
      case 4: { /* a piece is missing */
        size_t length = below(16);
        if (length > size - at) length = size - at;
        memmove(out + at, out + at + length, size - at - length);
        size -= length;
        break;
      }
      default:
        if (below(4) == 0) size = below(size);
    }
  }
  return size;
}

int main(int argc, char **argv) {
  static uint8_t out[MOST_BYTES];
  if (argc != 3) return 1;
  load(argv[1]);
  if (file_count == 0) {
    fprintf(stderr, "no files in %s\n", argv[1]);
    return 1;
  }
  long changes = strtol(argv[2], NULL, 10);
  for (size_t i = 0; i < file_count; ++i) LLVMFuzzerTestOneInput(files[i].bytes, files[i].size);
  for (long i = 0; i < changes; ++i) {
    size_t which = below(file_count);
    LLVMFuzzerTestOneInput(out, changed(files[which].bytes, files[which].size, out));
  }
  for (size_t i = 0; i < file_count; ++i) free(files[i].bytes);
  printf("%zu files, %ld changes\n", file_count, changes);
  return 0;
}
