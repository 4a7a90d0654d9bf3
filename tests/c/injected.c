/* pack_to_file and pack_to_path under strace, which makes system calls fail or kills the process in the kernel's stead.
 *
 *   injected            runs the whole matrix
 *   injected victim ... is one packing process, run by the matrix under strace
 *
 * A success must leave exactly the image. A failure must leave the old file, or say that it could not; after a single
 * fault on a readable descriptor it always could. A process killed in pack_to_path leaves the old file or the new. */
#include "old_files.h"

#include <dirent.h>
#include <stdint.h>

static const struct {
  const char *calls, *error;
  bool once_only;
} faults[] = {
    {"fcntl", "EBADF", false},
    {"fstat,newfstatat,statx", "EIO", false},
    {"fstat,newfstatat,statx", "ENOMEM", false},
    {"lseek", "EINVAL", false},
    {"lseek", "EOVERFLOW", false},
    {"fallocate", "ENOSPC", false},
    {"fallocate", "EDQUOT", false},
    {"fallocate", "EFBIG", false},
    {"fallocate", "EIO", false},
    {"fallocate", "EOPNOTSUPP", false},
    {"fallocate", "EPERM", false},
    {"fallocate", "EINTR", true},
    {"pread64", "EIO", false},
    {"pread64", "EINTR", true},
    {"pwrite64", "ENOSPC", false},
    {"pwrite64", "EIO", false},
    {"pwrite64", "EDQUOT", false},
    {"pwrite64", "EFBIG", false},
    {"pwrite64", "EPERM", false},
    {"pwrite64", "EAGAIN", false},
    {"pwrite64", "EINTR", true},
    {"write", "ENOSPC", false},
    {"write", "EIO", false},
    {"write", "EDQUOT", false},
    {"write", "EINTR", true},
    {"fdatasync", "EIO", false},
    {"fdatasync", "ENOSPC", false},
    {"fdatasync", "EINTR", true},
    {"ftruncate", "EIO", false},
    {"ftruncate", "EPERM", false},
    {"ftruncate", "EINTR", true},
};
#define FAULTS (sizeof faults / sizeof *faults)

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static char folder[4096], path[5000], notes[5000];
static const char *self;

static void set_up(void) {
  NEED(image_packer_create(&packer) == IMAGE_OK);
  map = host_picture(48, 40);
  options = host_options(image_packer_get_supported_format(0));
}

/* Packs into an open file or a path; writes status, offset and message into the notes. */
static int victim(char **arguments) {
  const char *target = arguments[0], *report = arguments[1];
  int state = atoi(arguments[2]);
  set_up();
  int notes_fd = open(report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  NEED(notes_fd >= 0);
  FILE *out = fdopen(notes_fd, "w");
  NEED(out != NULL);
  ImageStatus status;
  long offset = -1;
  if (state < 0) {
    NEED(image_packing_options_set_sync(options, state == -2) == IMAGE_OK);
    status = image_packer_pack_to_path(packer, map, target, options);
  } else {
    char line[200], info_path[64];
    NEED(image_packing_options_set_sync(options, old_files[state].sync) == IMAGE_OK);
    /* The descriptor comes from the parent, at its offset, so that no call of ours meets a fault first. */
    int fd = atoi(arguments[3]);
    status = image_packer_pack_to_file(packer, map, fd, options);
    snprintf(info_path, sizeof info_path, "/proc/self/fdinfo/%d", fd);
    FILE *info = fopen(info_path, "r");
    NEED(info != NULL && fgets(line, sizeof line, info) != NULL && sscanf(line, "pos: %ld", &offset) == 1);
    fclose(info);
  }
  fprintf(out, "%d %ld %s\n", status, offset, status == IMAGE_OK ? "" : image_packer_last_error_message());
  fclose(out);
  return 0;
}

/* Runs a victim under strace; `filter` limits the faults to the file. The wait status. */
static int run(const char *inject, bool filter, int state, int fd) {
  char expression[200], state_text[16], fd_text[16];
  char *arguments[24];
  int count = 0;
  snprintf(expression, sizeof expression, "inject=%s", inject);
  snprintf(state_text, sizeof state_text, "%d", state);
  snprintf(fd_text, sizeof fd_text, "%d", fd);
  arguments[count++] = (char *)"strace";
  arguments[count++] = (char *)"-qq";
  arguments[count++] = (char *)"-o";
  arguments[count++] = (char *)"/dev/null";
  if (filter) {
    arguments[count++] = (char *)"-P";
    arguments[count++] = path;
  }
  arguments[count++] = (char *)"-e";
  arguments[count++] = expression;
  arguments[count++] = (char *)self;
  arguments[count++] = (char *)"victim";
  arguments[count++] = path;
  arguments[count++] = notes;
  arguments[count++] = state_text;
  arguments[count++] = fd_text;
  arguments[count] = NULL;
  unlink(notes);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    int quiet = open("/dev/null", O_WRONLY);
    dup2(quiet, STDERR_FILENO);
    execvp("strace", arguments);
    _exit(127);
  }
  int status = 0;
  NEED(waitpid(child, &status, 0) == child);
  return status;
}

static bool read_notes(ImageStatus *status, long *offset, char *message, size_t size) {
  FILE *file = fopen(notes, "r");
  message[0] = 0;
  if (file == NULL) return false;
  bool complete = fscanf(file, "%d %ld", status, offset) == 2;
  if (complete && fgets(message, (int)size, file) == NULL) message[0] = 0;
  fclose(file);
  return complete;
}

static void descriptors(HostBytes image) {
  const char *whens[] = {"1", "2", "1+"};
  long cases = 0, succeeded = 0, restored = 0, reported = 0;
  for (size_t s = 0; s < OLD_FILES; ++s) {
    const OldFile *old = &old_files[s];
    if (!old->traced) continue;
    for (size_t f = 0; f < FAULTS; ++f) {
      for (size_t w = 0; w < 3; ++w) {
        char inject[120], message[1000];
        ImageStatus status = -1;
        long offset = -1;
        if (faults[f].once_only && w == 2) continue;
        snprintf(inject, sizeof inject, "%s:error=%s:when=%s", faults[f].calls, faults[f].error, whens[w]);
        unlink(path);
        if (old->size > 0) host_fill(path, old->size);
        int fd = open(path, old->flags | O_CREAT, 0600);
        NEED(fd >= 0 && lseek(fd, old->start, SEEK_SET) == old->start);
        int ended = run(inject, true, (int)s, fd);
        close(fd);
        ++cases;
        CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0, "%s, %s: ended with %#x", old->name, inject,
              (unsigned)ended);
        NEED(read_notes(&status, &offset, message, sizeof message));
        HostBytes file = host_file(path);
        size_t start = old_file_start(old);
        if (status == IMAGE_OK) {
          ++succeeded;
          CHECK(old_file_is_packed(old, file, image), "%s, %s: success and another file", old->name, inject);
          CHECK(offset == (long)(start + image.size), "%s, %s: offset %ld", old->name, inject, offset);
        } else if (strstr(message, "could not be restored") != NULL || strstr(message, "not synced") != NULL) {
          ++reported;
          CHECK(w > 0 || (old->flags & O_ACCMODE) == O_WRONLY, "%s, %s: not restored: %s", old->name, inject, message);
        } else {
          ++restored;
          CHECK(old_file_is_whole(old, file), "%s, %s: failed and another file", old->name, inject);
          CHECK(offset == old->start, "%s, %s: offset %ld", old->name, inject, offset);
        }
        free(file.bytes);
      }
    }
  }
  printf("descriptors: %ld cases: %ld succeeded, %ld failed and restored, %ld failed and reported\n", cases, succeeded,
         restored, reported);
  CHECK(cases >= 480 && succeeded > 0 && restored > 0 && reported > 0, "every outcome occurs");
}

/* Removes what a killed process left; answers how much it was. */
static int leftovers(void) {
  int count = 0;
  DIR *entries = opendir(folder);
  NEED(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    char name[6000];
    if (strncmp(entry->d_name, ".image_packer-", 14) != 0) continue;
    snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
    NEED(unlink(name) == 0);
    ++count;
  }
  closedir(entries);
  return count;
}

static void paths(HostBytes image) {
  const char *calls[] = {"openat", "write", "fchmod", "fsync", "close", "rename,renameat,renameat2"};
  const char *whats[] = {"signal=KILL", "error=EIO", "error=ENOSPC", "error=EPERM"};
  long cases = 0, olds = 0, news = 0;
  for (size_t c = 0; c < sizeof calls / sizeof *calls; ++c) {
    for (size_t w = 0; w < sizeof whats / sizeof *whats; ++w) {
      for (int at = 1; at < 60; ++at) {
        char inject[120], message[1000];
        ImageStatus status = -1;
        long offset = -1;
        snprintf(inject, sizeof inject, "%s:%s:when=%d", calls[c], whats[w], at);
        unlink(path);
        host_fill(path, LONG_FILE);
        int ended = run(inject, false, -2, -1);
        bool killed = WIFSIGNALED(ended), complete = read_notes(&status, &offset, message, sizeof message);
        HostBytes file = host_file(path);
        bool is_new = file.size == image.size && memcmp(file.bytes, image.bytes, image.size) == 0;
        bool is_old = file.size == LONG_FILE && host_is_filled(file.bytes, 0, LONG_FILE);
        int left = leftovers();
        ++cases;
        olds += is_old;
        news += is_new;
        CHECK(is_old || is_new, "%s: torn: %zu bytes", inject, file.size);
        if (complete) {
          CHECK(status != IMAGE_OK || is_new, "%s: success and the old file", inject);
          CHECK(status == IMAGE_OK || is_old || strstr(message, "could not be synced") != NULL,
                "%s: failure and the new file: %s", inject, message);
          CHECK(left == 0, "%s: a temporary file is left", inject);
        }
        free(file.bytes);
        /* Past the last such call of the process nothing happens any more. */
        if (!killed && complete && status == IMAGE_OK && at > 12) break;
      }
    }
  }
  printf("paths: %ld cases: %ld old, %ld new, the rest torn\n", cases, olds, news);
  CHECK(olds > 0 && news > 0, "both outcomes occur");
}

int main(int count, char **arguments) {
  static char own[4096];
  if (count >= 5 && strcmp(arguments[1], "victim") == 0) return victim(arguments + 2);
  NEED(readlink("/proc/self/exe", own, sizeof own - 1) > 0);
  self = own;
  snprintf(folder, sizeof folder, "%s", host_folder());
  snprintf(path, sizeof path, "%s/image", folder);
  snprintf(notes, sizeof notes, "%s/notes", folder);
  set_up();
  HostBytes image = host_expected(packer, map, options);
  NEED(image.size > 300 && image.size < LONG_FILE - 2000);
  int ended = run("swapoff:error=EIO", false, -1, -1);
  if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0 || access(notes, F_OK) != 0) {
    printf("SKIPPED: strace is missing or may not trace here; `interposed` tests the same faults without it\n");
    return SKIPPED;
  }
  unlink(path);
  if (count < 2 || strcmp(arguments[1], "paths") != 0) descriptors(image);
  if (count < 2 || strcmp(arguments[1], "descriptors") != 0) paths(image);
  free(image.bytes);
  image_packing_options_release(options);
  image_pixelmap_release(map);
  image_packer_release(packer);
  unlink(path);
  unlink(notes);
  rmdir(folder);
  return host_end("injected faults");
}
