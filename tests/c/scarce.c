/* A process that lacks descriptors for a while: each call says so, and all is well when there are some again, libheif
 * included, which is looked for at its first use. */
#include "host.h"

#include <sys/resource.h>

static const char *const formats[] = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/heic", "image/avif"};
enum { FORMATS = sizeof formats / sizeof *formats };

static struct rlimit usual;
static char path[4200];

static void allow(rlim_t descriptors) {
  NEED(setrlimit(RLIMIT_NOFILE, &(struct rlimit){descriptors, usual.rlim_max}) == 0);
}

static void no_descriptors(void) {
  ImagePacker *packer = NULL;
  ImagePixelMap *map = host_picture(200, 100);
  bool writes[FORMATS];
  NEED(image_packer_create(&packer) == IMAGE_OK);
  for (int f = 0; f < FORMATS; ++f) { /* in a child: what libheif needs is opened there */
    pid_t child = fork();
    if (child == 0) _exit(image_packer_get_format_features(formats[f]) != 0);
    int status = 0;
    NEED(waitpid(child, &status, 0) == child && WIFEXITED(status));
    writes[f] = WEXITSTATUS(status) == 1;
  }
  for (int scarce = 1; scarce >= 0; --scarce) {
    allow(scarce ? 3 : usual.rlim_cur);
    for (int f = 0; f < FORMATS; ++f) {
      ImagePackingOptions *options = NULL;
      ImageSource *source = NULL;
      ImageData *data = NULL;
      ImageJob *job = NULL;
      ImageStatus status = image_packing_options_create(formats[f], 90, &options);
      if (scarce && writes[f] && host_is_foreign(formats[f])) {
        CHECK(status == IMAGE_ERROR_UNKNOWN_FORMAT, "%s: libheif cannot be opened", formats[f]);
        CHECK(strstr(image_packer_last_error_message(), "open files") != NULL, "and the message says why");
        continue;
      }
      CHECK((status == IMAGE_OK) == writes[f], "%s: options", formats[f]);
      if (status != IMAGE_OK) continue;
      CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK, "%s: memory", formats[f]);
      image_data_release(data);
      ImageStatus expected = scarce ? IMAGE_ERROR_FAILED : IMAGE_OK;
      CHECK(image_packer_pack_to_path(packer, map, path, options) == expected, "%s: path", formats[f]);
      status = image_packer_pack_to_path_async(packer, map, path, options, NULL, NULL, &job);
      if (status == IMAGE_OK) status = image_job_wait(job, -1);
      CHECK(status == expected, "%s: path in the background: %d", formats[f], status);
      image_job_release(job), job = NULL;
      CHECK(image_source_create_from_path(path, &source) == expected, "%s: source", formats[f]);
      image_source_release(source);
      if (scarce)
        CHECK(image_packer_pack_to_file_async(packer, map, 1, options, NULL, NULL, &job) ==
                  IMAGE_ERROR_INVALID_FILE_ARGUMENT,
              "%s: a descriptor's duplicate", formats[f]);
      image_packing_options_release(options);
    }
  }
  image_pixelmap_release(map);
  image_packer_release(packer);
}

int main(void) {
  const char *folder = host_folder();
  snprintf(path, sizeof path, "%s/image", folder);
  NEED(getrlimit(RLIMIT_NOFILE, &usual) == 0);
  no_descriptors();
  CHECK(unlink(path) == 0 && rmdir(folder) == 0, "nothing else is left");
  return host_end("scarce");
}
