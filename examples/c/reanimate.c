/* One animated format into another, with its delays and loops: reanimate IN OUT MIME [QUALITY]. */
#include <image_packer.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s IN OUT MIME [QUALITY]\n", argv[0]);
    return 2;
  }
  ImagePacker *packer = NULL;
  ImageSource *source = NULL;
  ImageSequenceOptions *options = NULL;
  size_t frames = 0;
  uint32_t loops = 0, length = 0, delay = 0;
  int failed = image_packer_create(&packer) != IMAGE_OK ||
               image_source_create_from_path(argv[1], &source) != IMAGE_OK ||
               image_source_get_frame_count(source, &frames) != IMAGE_OK ||
               image_source_get_loop_count(source, &loops) != IMAGE_OK;
  for (size_t frame = 0; frame < frames && !failed; ++frame) {
    failed = image_source_get_frame_delay(source, frame, &delay) != IMAGE_OK;
    length += delay;
  }
  /* A frame count of 0: as many as the source has. */
  failed = failed || image_sequence_options_create(argv[3], 0, &options) != IMAGE_OK ||
           image_sequence_options_set_quality(options, argc > 4 ? atoi(argv[4]) : 80) != IMAGE_OK ||
           image_packer_pack_to_path_from_source_sequence(packer, source, argv[2], options) != IMAGE_OK;
  if (failed)
    fprintf(stderr, "%s: %s\n", argv[1], image_packer_last_error_message());
  else
    printf("%s -> %s: %u frames, %u ms, %u loops (%s)\n", argv[1], argv[2], (unsigned)frames, (unsigned)length,
           (unsigned)loops, argv[3]);
  image_sequence_options_release(options);
  image_source_release(source);
  image_packer_release(packer);
  return failed;
}
