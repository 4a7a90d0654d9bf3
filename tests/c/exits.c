/* A process exits while jobs run: it ends as it wanted to, whatever the codecs are doing. */
#include "host.h"

enum { ROUNDS = 30, JOBS = 12 };

/* Exits from a callback. */
static int32_t leave(void *user, uint32_t done) {
  (void)user, (void)done;
  exit(7);
}

static void child(const char *format, int round) {
  ImagePacker *packer = NULL;
  ImagePixelMap *map = host_picture(400, 300);
  ImagePackingOptions *options = host_options(format);
  alarm(60);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  if (round == 0) NEED(image_packing_options_set_progress(options, leave, NULL) == IMAGE_OK);
  for (int i = 0; i < JOBS; ++i) {
    ImageJob *job = NULL;
    NEED(image_packer_pack_to_data_async(packer, map, options, NULL, NULL, &job) == IMAGE_OK);
  }
  if (round == 0) sleep(30); /* until the callback */
  usleep((unsigned)round * 200);
  exit(7);
}

int main(void) {
  static const char *const formats[] = {"image/jpeg", "image/heic", "image/avif"};
  for (size_t f = 0; f < sizeof formats / sizeof *formats; ++f) {
    int died = 0, last = 0;
    for (int round = 0; round < ROUNDS && died == 0; ++round) {
      pid_t process = fork();
      NEED(process >= 0);
      if (process == 0) {
        if (image_packer_get_format_features(formats[f]) == 0) _exit(7); /* there is no such codec here */
        child(formats[f], round);
      }
      int status = 0;
      NEED(waitpid(process, &status, 0) == process);
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 7) ++died, last = status;
    }
    CHECK(died == 0, "%s: a process that exits ended with status %#x", formats[f], last);
  }
  return host_end("exits");
}
