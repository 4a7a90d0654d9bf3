/* Disks that are full, or become full half-way: real file systems, in memory and on a loop device, with every amount of
 * room from nothing to enough. Either the whole image is there or the old file is, and the message has the numbers.
 *
 * Each disk is mounted by a child, in a name space of its own: nothing of it is seen outside or left behind. */
#include "host.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static HostBytes image;
static char folder[4096], device[5000], path[5000], filler[5000];

#define LONGER 60000u /* bytes of an old file that is longer than the image */

static const struct state {
  const char *name;
  size_t size; /* of the old file */
  off_t start;
  bool append, sparse;
} states[] = {
    {"new", 0, 0, false, false},        {"shorter", 1000, 0, false, false},         {"longer", LONGER, 0, false, false},
    {"sparse", LONGER, 0, false, true}, {"over the end", 9000, 7000, false, false}, {"append", 300, 0, true, false},
};

static bool is_old(const struct state *state, HostBytes file) {
  static const uint8_t zeros[LONGER];
  if (file.size != state->size) return false;
  return state->sparse ? memcmp(file.bytes, zeros, file.size) == 0 : host_is_filled(file.bytes, 0, file.size);
}

/* Fills the disk and gives `room` bytes of it free again; what is free then. */
static size_t leave(size_t room) {
  static char block[1024];
  int fd = open(filler, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  off_t size = 0;
  NEED(fd >= 0);
  for (ssize_t wrote; (wrote = write(fd, block, sizeof block)) > 0;) size += wrote;
  fsync(fd); /* blocks that were only promised are taken now */
  NEED(ftruncate(fd, size > (off_t)room ? size - (off_t)room : 0) == 0 && fsync(fd) == 0);
  close(fd);
  struct statvfs space;
  NEED(statvfs(folder, &space) == 0);
  return (size_t)(space.f_bavail * space.f_frsize);
}

static void old_file(const struct state *state) {
  unlink(filler);
  unlink(path);
  host_fill(path, state->sparse ? 0 : state->size);
  NEED(truncate(path, (off_t)state->size) == 0);
}

static int entries(void) {
  int count = 0;
  DIR *listing = opendir(folder);
  NEED(listing != NULL);
  for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
    count += strncmp(entry->d_name, ".image_packer", 13) == 0;
  closedir(listing);
  return count;
}

/* The message names the size of the image and says that no space is left. */
static void explained(const char *what) {
  char number[32];
  snprintf(number, sizeof number, "%zu bytes", image.size);
  const char *message = image_packer_last_error_message();
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_WRITE, "%s: cause", what);
  CHECK(strstr(message, number) != NULL && strstr(message, "os error 28") != NULL, "%s: says why", what);
}

static int fitted, refused;

static void into_descriptor(const struct state *state, size_t room, const char *what) {
  struct stat before, after;
  old_file(state);
  int fd = open(path, O_RDWR | O_CLOEXEC | (state->append ? O_APPEND : 0));
  NEED(fd >= 0 && lseek(fd, state->start, SEEK_SET) == state->start);
  size_t space = leave(room);
  NEED(fsync(fd) == 0 && fstat(fd, &before) == 0);
  ImageStatus status = image_packer_pack_to_file(packer, map, fd, options);
  HostBytes file = host_file(path);
  size_t start = state->append ? state->size : (size_t)state->start;
  if (status == IMAGE_OK) {
    ++fitted;
    CHECK(file.size == start + image.size && memcmp(file.bytes + start, image.bytes, image.size) == 0,
          "%s: success and another file", what);
  } else {
    ++refused;
    CHECK(status == IMAGE_ERROR_FAILED, "%s: status %d", what, (int)status);
    explained(what);
    CHECK(strstr(image_packer_last_error_message(), "the file is as it was") != NULL, "%s: says that it is", what);
    CHECK(is_old(state, file), "%s: failed and another file of %zu bytes", what, file.size);
    CHECK(lseek(fd, 0, SEEK_CUR) == state->start, "%s: offset", what);
    CHECK(space < 2 * image.size, "%s: %zu bytes were free", what, space);
    NEED(fsync(fd) == 0 && fstat(fd, &after) == 0);
    /* A hole that was written to and filled with zeros again may keep its blocks, and a file its list of extents. */
    CHECK(state->sparse || after.st_blocks <= before.st_blocks + 2, "%s: %ld blocks, %ld before", what,
          (long)after.st_blocks, (long)before.st_blocks);
  }
  free(file.bytes);
  close(fd);
}

static void into_path(const struct state *state, size_t room, const char *what) {
  old_file(state);
  leave(room);
  ImageStatus status = image_packer_pack_to_path(packer, map, path, options);
  HostBytes file = host_file(path);
  if (status == IMAGE_OK) {
    ++fitted;
    CHECK(file.size == image.size && memcmp(file.bytes, image.bytes, image.size) == 0, "%s: another file", what);
  } else {
    ++refused;
    CHECK(status == IMAGE_ERROR_FAILED, "%s: status %d", what, (int)status);
    explained(what);
    CHECK(is_old(state, file), "%s: failed and another file of %zu bytes", what, file.size);
  }
  CHECK(entries() == 0, "%s: %d temporary files are left", what, entries());
  free(file.bytes);
}

static const struct disk {
  const char *name, *make; /* a shell command; NULL: in memory */
} disks[] = {
    {"tmpfs", NULL},
    {"ext4", "mke2fs -q -F -t ext4 -O ^has_journal -b 1024 -m 0"},
    {"ext4 with a journal", "mke2fs -q -F -t ext4 -b 1024 -m 0"},
    {"ext2", "mke2fs -q -F -t ext2 -b 1024 -m 0"}, /* cannot reserve space */
};
static const struct disk *disk; /* the one under test */

static bool mounted(void) {
  char command[15000];
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return false;
  if (disk->make == NULL) return mount("none", folder, "tmpfs", 0, "size=256k,mode=700") == 0;
  int fd = open(device, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  NEED(fd >= 0 && ftruncate(fd, 2 << 20) == 0);
  close(fd);
  snprintf(command, sizeof command, "PATH=$PATH:/usr/sbin:/sbin; %s '%s' && mount -o loop '%s' '%s'", disk->make,
           device, device, folder);
  fflush(NULL);
  return system(command) == 0;
}

static void on_disk(void) {
  if (!mounted()) _exit(SKIPPED);
  for (size_t s = 0; s < sizeof states / sizeof *states; ++s) {
    for (size_t room = 0; room <= image.size + 16384; room += 6144) {
      char what[200];
      snprintf(what, sizeof what, "%s, %s, room for %zu bytes", disk->name, states[s].name, room);
      into_descriptor(&states[s], room, what);
      if (states[s].start == 0 && !states[s].append) into_path(&states[s], room, what);
    }
  }
  printf("%s: %d images fitted, %d did not\n", disk->name, fitted, refused);
  CHECK(fitted > 10 && refused > 10, "%s: %d fitted, %d did not", disk->name, fitted, refused);
  umount2(folder, MNT_DETACH);
}

int main(void) {
  int skipped = 0;
  snprintf(folder, sizeof folder, "%s", host_folder());
  snprintf(path, sizeof path, "%s/image", folder);
  snprintf(filler, sizeof filler, "%s/filler", folder);
  snprintf(device, sizeof device, "%s.disk", folder);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  map = host_picture(200, 150);
  options = host_options(image_packer_get_supported_format(0));
  image = host_expected(packer, map, options);
  NEED(image.size > 12000 && image.size < LONGER - 10000);
  for (size_t d = 0; d < sizeof disks / sizeof *disks; ++d) {
    disk = &disks[d];
    int ended = host_apart(on_disk);
    if (ended == SKIPPED)
      printf("SKIPPED: %s cannot be mounted here\n", disk->name), ++skipped;
    else
      CHECK(ended == 0, "%s: child ended with %d", disk->name, ended);
  }
  free(image.bytes);
  image_packing_options_release(options);
  image_pixelmap_release(map);
  image_packer_release(packer);
  unlink(device);
  rmdir(folder);
  int result = host_end("full disk");
  return result == 0 && skipped == (int)(sizeof disks / sizeof *disks) ? SKIPPED : result;
}
