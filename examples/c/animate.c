/* An animation from frames that are drawn one at a time and never held together: animate OUT MIME [FRAMES]. */
#include <image_packer.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 320, HEIGHT = 200, BALL = 24 };

/* A ball of one colour on transparent ground; only its own square is drawn. */
static void draw_ball(unsigned char *rgba, int frame) {
  for (int y = 0; y < BALL; ++y)
    for (int x = 0; x < BALL; ++x, rgba += 4) {
      int dx = 2 * x + 1 - BALL, dy = 2 * y + 1 - BALL;
      rgba[0] = 255, rgba[1] = (unsigned char)(80 + frame % 100), rgba[2] = 40;
      rgba[3] = dx * dx + dy * dy < BALL * BALL ? 255 : 0;
    }
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s OUT MIME [FRAMES]\n", argv[0]);
    return 2;
  }
  int frames = argc > 3 ? atoi(argv[3]) : 40;
  static unsigned char sky[WIDTH * HEIGHT * 3], ball[BALL * BALL * 4];
  for (int i = 0; i < WIDTH * HEIGHT; ++i) {
    sky[3 * i] = 90, sky[3 * i + 1] = (unsigned char)(120 + i / WIDTH / 2), sky[3 * i + 2] = 230;
  }
  ImagePacker *packer = NULL;
  ImageSequenceOptions *options = NULL;
  ImageSequence *sequence = NULL;
  ImagePixelMap *map = NULL;
  /* One frame is the ground, and stays; the others are put on it, and what was below comes back (3). */
  int failed = image_packer_create(&packer) != IMAGE_OK ||
               image_sequence_options_create(argv[2], (uint32_t)frames + 1, &options) != IMAGE_OK ||
               image_sequence_options_set_loop_count(options, 0) != IMAGE_OK ||
               image_sequence_begin_to_path(packer, argv[1], options, &sequence) != IMAGE_OK ||
               image_pixelmap_create_from_copy(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGB_888, sky, sizeof sky, 0, &map) !=
                   IMAGE_OK ||
               image_sequence_add_frame(sequence, map, 4, 1) != IMAGE_OK;
  if (failed) fprintf(stderr, "%s: %s\n", argv[1], image_packer_last_error_message());
  image_pixelmap_release(map);
  for (int frame = 0; frame < frames && !failed; ++frame) {
    draw_ball(ball, frame);
    uint32_t x = (uint32_t)(frame * (WIDTH - BALL) / frames);
    int fall = frame % 20 - 10;
    uint32_t y = (uint32_t)(20 + fall * fall);
    failed = image_pixelmap_create_from_copy(BALL, BALL, IMAGE_PIXEL_FORMAT_RGBA_8888, ball, sizeof ball, 0, &map) !=
                 IMAGE_OK ||
             image_sequence_add_frame_at(sequence, map, x, y, 4, 3) != IMAGE_OK;
    /* At once: a release that is refused would leave a message of its own. */
    if (failed) fprintf(stderr, "%s: %s\n", argv[1], image_packer_last_error_message());
    image_pixelmap_release(map);
  }
  if (!failed && image_sequence_finish(sequence, NULL) != IMAGE_OK) {
    fprintf(stderr, "%s: %s\n", argv[1], image_packer_last_error_message());
    failed = 1;
  }
  if (!failed) printf("%s: %d frames of %d x %d (%s)\n", argv[1], frames + 1, WIDTH, HEIGHT, argv[2]);
  image_sequence_release(sequence);
  image_sequence_options_release(options);
  image_packer_release(packer);
  return failed;
}
