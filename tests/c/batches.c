/* Batches: outputs, names, errors of one image, order, cancel; tensors of every type and layout, and their deleters. */
#include "host.h"

#include <dirent.h>
#include <math.h>
#include <stdatomic.h>

static ImagePacker *packer;

static bool same(ImageData *data, HostBytes want) {
  return image_data_size(data) == want.size && memcmp(image_data_bytes(data), want.bytes, want.size) == 0;
}

static bool file_is(const char *folder, const char *name, HostBytes want) {
  char path[4400];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  HostBytes file = host_file(path);
  bool right = file.bytes && file.size == want.size && memcmp(file.bytes, want.bytes, want.size) == 0;
  free(file.bytes);
  return right;
}

/* Removes all files and says how many there were. */
static int clear(const char *folder) {
  int count = 0;
  DIR *files = opendir(folder);
  NEED(files != NULL);
  for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    NEED(unlinkat(dirfd(files), entry->d_name, 0) == 0);
    ++count;
  }
  closedir(files);
  return count;
}

typedef struct {
  atomic_int items, failed, done, wrong;
  ImageBatch *_Atomic batch; /* to be asked inside */
  ImageStatus overall;
  ImageData *data[64];
} Seen;

static void on_item(void *user, size_t index, ImageStatus status, ImageData *data) {
  Seen *seen = user;
  seen->data[index] = data;
  if (seen->batch != NULL) {
    bool right = image_batch_get_status(seen->batch, index) == status && image_batch_get_time(seen->batch, index) > 0 &&
                 (status == IMAGE_OK || image_batch_get_size(seen->batch, index) == 0);
    if (!right) atomic_fetch_add(&seen->wrong, 1);
  }
  if (status != IMAGE_OK && image_packer_last_error_message()[0] != 0) atomic_fetch_add(&seen->failed, 1);
  atomic_fetch_add(&seen->items, 1);
}

static void on_done(void *user, ImageStatus status, ImageData *data) {
  Seen *seen = user;
  seen->overall = status;
  if (data == NULL) atomic_fetch_add(&seen->done, 1);
}

/* Lets three images end, and the others wait for the test's word. */
typedef struct {
  atomic_int ended, go;
} Gate;

static void wait_at(void *user, size_t index, ImageStatus status, ImageData *data) {
  Gate *gate = user;
  (void)index, (void)status, (void)data;
  if (atomic_fetch_add(&gate->ended, 1) >= 3)
    while (!atomic_load(&gate->go)) usleep(500);
}

enum { SIZES = 4, MOST = 24 };
static ImagePixelMap *maps[SIZES];
static ImagePackingOptions *options[8];
static HostBytes want[8][SIZES];
static size_t formats;

static ImageBatch *mixed(size_t count) {
  ImageBatch *batch = NULL;
  NEED(image_batch_create(packer, &batch) == IMAGE_OK);
  for (size_t i = 0; i < count; ++i)
    NEED(image_batch_add_pixelmap(batch, maps[i % SIZES], options[i % formats]) == IMAGE_OK);
  return batch;
}

#define WANT(i) want[(i) % formats][(i) % SIZES]

static void outputs(void) {
  const char *folder = host_folder();
  for (uint32_t threads = 1; threads <= 4; threads += 3) {
    NEED(image_packer_set_threads(packer, threads) == IMAGE_OK);
    /* Into memory, to be taken. */
    ImageBatch *batch = mixed(MOST);
    ImageData *data = NULL, *offsets = NULL;
    CHECK(image_batch_wait(batch, 0) == 401 && image_batch_get_status(batch, 0) == 1002, "not started");
    NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
    CHECK(image_batch_start(batch, NULL, NULL, NULL) == 401, "started once");
    CHECK(image_batch_add_pixelmap(batch, maps[0], options[0]) == 401, "no more images");
    CHECK(image_batch_wait(batch, -1) == IMAGE_OK, "wait");
    size_t ended = 0, failed = 1, count = 0;
    CHECK(image_batch_get_progress(batch, &ended, &failed, &count) == IMAGE_OK && ended == MOST && failed == 0 &&
              count == MOST,
          "progress");
    for (size_t i = 0; i < MOST; ++i) {
      CHECK(image_batch_get_status(batch, i) == IMAGE_OK && image_batch_get_size(batch, i) == WANT(i).size, "image %zu",
            i);
      CHECK(image_batch_get_time(batch, i) > 0, "time");
      CHECK(image_batch_take_data(batch, i, &data) == IMAGE_OK && same(data, WANT(i)), "image %zu", i);
      image_data_release(data);
      CHECK(image_batch_take_data(batch, i, &data) == 401, "taken once");
    }
    CHECK(image_batch_take_data(batch, MOST, &data) == 401 && image_batch_get_status(batch, MOST) == 401,
          "no such image");
    CHECK(image_batch_take_arena(batch, &data, &offsets) == 401, "no arena");
    CHECK(image_batch_release(batch) == IMAGE_OK && image_batch_release(batch) == 401, "released once");

    /* To a callback. */
    static Seen seen;
    memset(&seen, 0, sizeof seen);
    batch = mixed(MOST);
    NEED(image_batch_start(batch, on_item, on_done, &seen) == IMAGE_OK);
    CHECK(image_batch_wait(batch, -1) == IMAGE_OK, "wait");
    CHECK(seen.items == MOST && seen.done == 1 && seen.overall == IMAGE_OK, "%d items, %d ends", seen.items, seen.done);
    for (size_t i = 0; i < MOST; ++i) {
      CHECK(same(seen.data[i], WANT(i)), "image %zu", i);
      image_data_release(seen.data[i]);
    }
    image_batch_release(batch);

    /* Into one piece. */
    batch = mixed(MOST);
    NEED(image_batch_to_arena(batch) == IMAGE_OK);
    NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
    CHECK(image_batch_wait(batch, -1) == IMAGE_OK, "wait");
    CHECK(image_batch_take_arena(batch, &data, &offsets) == IMAGE_OK, "arena");
    CHECK(image_data_size(offsets) == (MOST + 1) * sizeof(int64_t), "offsets");
    const int64_t *at = (const int64_t *)(const void *)image_data_bytes(offsets);
    CHECK(at[0] == 0 && (size_t)at[MOST] == image_data_size(data), "begin and end");
    for (size_t i = 0; i < MOST; ++i)
      CHECK((size_t)(at[i + 1] - at[i]) == WANT(i).size &&
                memcmp(image_data_bytes(data) + at[i], WANT(i).bytes, WANT(i).size) == 0,
            "image %zu", i);
    image_batch_release(batch);
    image_data_release(data);
    image_data_release(offsets);

    /* Into a folder, by names. */
    const char *names[MOST];
    char text[MOST][64];
    for (size_t i = 0; i < MOST; ++i) {
      snprintf(text[i], sizeof text[i], "some/where/picture.%zu.tif", i);
      names[i] = text[i];
    }
    batch = mixed(MOST);
    CHECK(image_batch_set_names(batch, NULL, NULL, NULL) == 401, "no folder yet");
    NEED(image_batch_to_folder(batch, folder, names, MOST, IMAGE_SAME_NAME_ERROR) == IMAGE_OK);
    CHECK(image_batch_set_names(batch, "../x", NULL, NULL) == 401, "another folder");
    NEED(image_batch_set_names(batch, "p-", "_s", "img") == IMAGE_OK);
    NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
    CHECK(image_batch_wait(batch, -1) == IMAGE_OK, "wait");
    for (size_t i = 0; i < MOST; ++i) {
      char name[64];
      snprintf(name, sizeof name, "p-picture.%zu_s.img", i);
      CHECK(file_is(folder, name, WANT(i)), "%s", name);
    }
    CHECK(clear(folder) == MOST, "nothing else was left there");
    image_batch_release(batch);

    /* Into descriptors that are closed at once, one of them bad. */
    int fds[MOST];
    for (size_t i = 0; i < MOST; ++i) {
      char path[4300];
      snprintf(path, sizeof path, "%s/%zu", folder, i);
      fds[i] = open(path, i == 5 ? O_CREAT | O_RDONLY : O_CREAT | O_RDWR, 0600);
      NEED(fds[i] >= 0);
    }
    batch = mixed(MOST);
    NEED(image_batch_to_files(batch, fds, MOST) == IMAGE_OK);
    for (size_t i = 0; i < MOST; ++i) close(fds[i]);
    NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
    CHECK(image_batch_wait(batch, -1) == 62980115, "the one that failed");
    for (size_t i = 0; i < MOST; ++i) {
      char name[32];
      snprintf(name, sizeof name, "%zu", i);
      CHECK(image_batch_get_status(batch, i) == (i == 5 ? 62980115 : IMAGE_OK), "image %zu", i);
      CHECK(file_is(folder, name, i == 5 ? (HostBytes){(uint8_t *)"", 0} : WANT(i)), "file %zu", i);
    }
    clear(folder);
    image_batch_release(batch);

    /* The two calls that wait. */
    ImageData *all[MOST];
    ImageStatus statuses[MOST];
    ImagePixelMap *many[MOST];
    for (size_t i = 0; i < MOST; ++i) many[i] = maps[i % SIZES];
    CHECK(image_packer_pack_batch_to_data(packer, many, MOST, options[1], all, statuses) == IMAGE_OK, "to data");
    for (size_t i = 0; i < MOST; ++i) {
      CHECK(statuses[i] == IMAGE_OK && same(all[i], want[1][i % SIZES]), "image %zu", i);
      image_data_release(all[i]);
    }
    many[3] = NULL;
    CHECK(image_packer_pack_batch_to_data(packer, many, MOST, options[1], all, NULL) == 401,
          "a bad handle is a bad argument");
    many[3] = maps[3];
    int two[2] = {open("/dev/null", O_WRONLY), -1};
    CHECK(image_packer_pack_batch_to_files(packer, many, 2, two, options[1], statuses) == 62980115, "to files");
    CHECK(statuses[0] == IMAGE_OK && statuses[1] == 62980115, "one of two");
    close(two[0]);
    memset(&seen, 0, sizeof seen);
    NEED(image_packer_pack_batch_to_data_async(packer, many, MOST, options[1], on_item, on_done, &seen, &batch) ==
         IMAGE_OK);
    CHECK(image_batch_wait(batch, -1) == IMAGE_OK && seen.items == MOST && seen.done == 1, "in the background");
    for (size_t i = 0; i < MOST; ++i) image_data_release(seen.data[i]);
    image_batch_release(batch);
  }
  rmdir(folder);
}

static void failures(void) {
  const char *folder = host_folder();
  ImageBatch *batch = NULL;
  ImageSource *source = NULL;
  /* A damaged source, an image that no format can hold, a name that no file system takes, twice the same name. */
  NEED(image_source_create_from_copy(want[1][3].bytes, want[1][3].size / 2, &source) == IMAGE_OK);
  char endless[400];
  memset(endless, 'x', sizeof endless - 1);
  endless[sizeof endless - 1] = 0;
  const char *names[6] = {"a.png", "damaged", endless, "b.png", "other/a.jpeg", "c"};
  for (ImageSameName rule = IMAGE_SAME_NAME_ERROR; rule <= IMAGE_SAME_NAME_LAST_WINS; ++rule) {
    NEED(image_batch_create(packer, &batch) == IMAGE_OK);
    for (int i = 0; i < 6; ++i)
      NEED((i == 1 ? image_batch_add_source(batch, source, options[0])
                   : image_batch_add_pixelmap(batch, maps[i % SIZES], options[0])) == IMAGE_OK);
    NEED(image_batch_to_folder(batch, folder, names, 6, rule) == IMAGE_OK);
    static Seen seen;
    memset(&seen, 0, sizeof seen);
    seen.batch = batch;
    NEED(image_batch_start(batch, on_item, on_done, &seen) == IMAGE_OK);
    CHECK(image_batch_wait(batch, -1) == 62980101, "the first that failed");
    CHECK(seen.wrong == 0, "%d were not what could be asked for inside the callback", seen.wrong);
    CHECK(strstr(image_packer_last_error_message(), "image 1") != NULL, "its number");
    CHECK(seen.items == 6 && seen.failed == (rule == IMAGE_SAME_NAME_ERROR ? 3 : 2), "%d failed", seen.failed);
    CHECK(image_batch_get_status(batch, 1) == 62980101 && image_batch_get_size(batch, 1) == 0, "damaged");
    CHECK(image_batch_get_status(batch, 2) == 62980096, "no such name");
    CHECK(image_batch_get_status(batch, 3) == IMAGE_OK && file_is(folder, "out_b.jpg", want[0][3]), "beside them");
    CHECK(file_is(folder, "out_c.jpg", want[0][5 % SIZES]), "behind them");
    CHECK(file_is(folder, "out_a.jpg", want[0][rule == IMAGE_SAME_NAME_LAST_WINS ? 4 % SIZES : 0]), "whose name it is");
    CHECK(image_batch_get_status(batch, 4) == (rule == IMAGE_SAME_NAME_ERROR ? 62980115 : IMAGE_OK), "twice the name");
    if (rule == IMAGE_SAME_NAME_NUMBER) CHECK(file_is(folder, "out_a_1.jpg", want[0][4 % SIZES]), "with a number");
    CHECK(clear(folder) == (rule == IMAGE_SAME_NAME_NUMBER ? 4 : 3), "no file of those that failed");
    image_batch_release(batch);
  }
  /* In one piece of memory the others are where they belong. */
  ImageData *data = NULL, *offsets = NULL;
  NEED(image_batch_create(packer, &batch) == IMAGE_OK);
  NEED(image_batch_add_source(batch, source, options[0]) == IMAGE_OK);
  NEED(image_batch_add_pixelmap(batch, maps[1], options[0]) == IMAGE_OK);
  NEED(image_batch_to_arena(batch) == IMAGE_OK);
  static Seen heard;
  memset(&heard, 0, sizeof heard);
  heard.batch = batch;
  NEED(image_batch_start(batch, on_item, on_done, &heard) == IMAGE_OK);
  CHECK(image_batch_wait(batch, -1) == 62980101, "one failed");
  CHECK(heard.items == 2 && heard.failed == 1 && heard.wrong == 0, "%d heard of, %d failed", heard.items, heard.failed);
  NEED(image_batch_take_arena(batch, &data, &offsets) == IMAGE_OK);
  const int64_t *at = (const int64_t *)(const void *)image_data_bytes(offsets);
  CHECK(at[0] == 0 && at[1] == 0 && (size_t)at[2] == want[0][1].size && same(data, want[0][1]), "nothing and an image");
  image_data_release(data);
  image_data_release(offsets);
  CHECK(image_batch_take_arena(batch, &data, &offsets) == 401, "taken once");
  image_batch_release(batch);

  /* What is refused as a whole. */
  NEED(image_batch_create(packer, &batch) == IMAGE_OK);
  CHECK(image_batch_start(batch, NULL, NULL, NULL) == 401, "an empty batch");
  NEED(image_batch_add_pixelmap(batch, maps[0], options[0]) == IMAGE_OK);
  NEED(image_batch_to_folder(batch, folder, names, 2, IMAGE_SAME_NAME_ERROR) == IMAGE_OK);
  CHECK(image_batch_start(batch, NULL, NULL, NULL) == 401, "two names for one image");
  CHECK(image_batch_to_folder(batch, folder, names, 1, 77) == 401, "no such rule");
  NEED(image_batch_to_folder(batch, "/none/such", names, 1, IMAGE_SAME_NAME_ERROR) == IMAGE_OK);
  CHECK(image_batch_start(batch, NULL, NULL, NULL) == 62980096, "no such folder");
  CHECK(image_batch_to_arena(batch) == IMAGE_OK && image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK, "mended");
  CHECK(image_batch_wait(batch, -1) == IMAGE_OK, "works");
  image_batch_release(batch);

  /* Stopped in the middle: what had not begun never does. */
  enum { MANY = 400 };
  static const char *files[MANY];
  static char text[MANY][16];
  NEED(image_packer_set_threads(packer, 2) == IMAGE_OK);
  NEED(image_batch_create(packer, &batch) == IMAGE_OK);
  for (int i = 0; i < MANY; ++i) {
    snprintf(text[i], sizeof text[i], "%d.png", i);
    files[i] = text[i];
    NEED(image_batch_add_pixelmap(batch, maps[3], options[0]) == IMAGE_OK);
  }
  NEED(image_batch_to_folder(batch, folder, files, MANY, IMAGE_SAME_NAME_ERROR) == IMAGE_OK);
  Gate gate = {0, 0};
  NEED(image_batch_start(batch, wait_at, NULL, &gate) == IMAGE_OK);
  size_t ended = 0;
  while (ended < 3) {
    usleep(500);
    NEED(image_batch_get_progress(batch, &ended, NULL, NULL) == IMAGE_OK);
  }
  CHECK(image_batch_cancel(batch) == IMAGE_OK, "cancel");
  atomic_store(&gate.go, 1);
  CHECK(image_batch_wait(batch, -1) == 1001, "cancelled");
  int written = 0;
  for (size_t i = 0; i < MANY; ++i) {
    ImageStatus status = image_batch_get_status(batch, i);
    CHECK(status == IMAGE_OK || status == 1001, "image %zu: %d", i, status);
    char name[32];
    snprintf(name, sizeof name, "out_%zu.jpg", i);
    if (status == IMAGE_OK) CHECK(file_is(folder, name, want[0][3]), "%s", name);
    written += status == IMAGE_OK;
  }
  CHECK(clear(folder) == written && written >= 3 && written < MANY, "whole files or none: %d", written);
  image_batch_release(batch);
  rmdir(folder);
  image_source_release(source);
}

/* ---- Tensors ---- */

enum { N = 3, H = 11, W = 13 };
static uint8_t rgba[N][H][W][4];

static void on_release(void *user) { ++*(int *)user; }

/* The value of a component as a tensor holds it, for the types whose numbers stand for v / 255. */
static size_t store(uint8_t *to, ImageTensorType type, uint8_t value) {
  float unit = (float)value / 255.0f;
  uint32_t bits;
  memcpy(&bits, &unit, 4);
  switch (type) {
    case IMAGE_TENSOR_UINT8:
      *to = value;
      return 1;
    case IMAGE_TENSOR_UINT16: {
      uint16_t wide = (uint16_t)(value * 257);
      memcpy(to, &wide, 2);
      return 2;
    }
    case IMAGE_TENSOR_FLOAT16: { /* rounded to nearest; all values here are normal or 0 */
      uint16_t half = unit == 0 ? 0 : (uint16_t)((bits - ((127u - 15) << 23) + 0x1000) >> 13);
      memcpy(to, &half, 2);
      return 2;
    }
    case IMAGE_TENSOR_BFLOAT16: {
      uint16_t brain = (uint16_t)((bits + 0x8000) >> 16);
      memcpy(to, &brain, 2);
      return 2;
    }
    default:
      memcpy(to, &unit, 4);
      return 4;
  }
}

/* The PNG of image n as `components` of the test picture, from a plain pixel map. */
static HostBytes reference(int n, int components, bool wide, bool flip, bool coarse) {
  static uint8_t pixels[H * W * 8];
  ImagePixelMap *map = NULL;
  uint8_t *to = pixels;
  for (int y = 0; y < H; ++y)
    for (int x = 0; x < W; ++x)
      for (int c = 0; c < components; ++c) {
        uint8_t value = rgba[n][flip ? H - 1 - y : y][x][c];
        if (coarse) { /* what bfloat16 keeps of it */
          uint8_t stored[4];
          uint32_t bits;
          uint16_t brain;
          float back;
          store(stored, IMAGE_TENSOR_BFLOAT16, value);
          memcpy(&brain, stored, 2);
          bits = (uint32_t)brain << 16;
          memcpy(&back, &bits, 4);
          value = (uint8_t)(back * 255.0f + 0.5f);
        }
        if (wide)
          to += store(to, IMAGE_TENSOR_UINT16, value);
        else
          *to++ = value;
      }
  ImagePixelFormat format = components == 1 ? (wide ? IMAGE_PIXEL_FORMAT_GRAY_16 : IMAGE_PIXEL_FORMAT_GRAY_8)
                            : components == 3
                                ? (wide ? IMAGE_PIXEL_FORMAT_RGB_161616 : IMAGE_PIXEL_FORMAT_RGB_888)
                                : (wide ? IMAGE_PIXEL_FORMAT_RGBA_16161616 : IMAGE_PIXEL_FORMAT_RGBA_8888);
  NEED(image_pixelmap_create_from_copy(W, H, format, pixels, (size_t)(to - pixels), 0, &map) == IMAGE_OK);
  HostBytes png = host_expected(packer, map, options[1]);
  image_pixelmap_release(map);
  return png;
}

static void tensors(void) {
  static uint8_t memory[1 << 16];
  int released = 0, made = 0;
  for (int n = 0; n < N; ++n)
    for (int y = 0; y < H; ++y)
      for (int x = 0; x < W; ++x)
        for (int c = 0; c < 4; ++c) rgba[n][y][x][c] = (uint8_t)(n * 40 + y * 7 + x * 11 + c * 50);
  for (ImageTensorType type = IMAGE_TENSOR_UINT8; type <= IMAGE_TENSOR_FLOAT32; ++type)
    for (int planar = 0; planar < 2; ++planar)
      for (int components = 1; components <= 4; components += components == 1 ? 2 : 1)
        for (int bgr = 0; bgr < 2; ++bgr)
          for (int padded = 0; padded < 2; ++padded)
            for (int flip = 0; flip < 2; ++flip) {
              uint8_t probe[4];
              int64_t size = (int64_t)store(probe, type, 0), pad = padded ? 3 * size : 0;
              int64_t column = planar ? size : size * components + (padded ? size : 0);
              int64_t row = column * W + pad;
              int64_t component = planar ? row * H + pad : size;
              int64_t image = planar ? component * components : row * H;
              for (int n = 0; n < N; ++n)
                for (int y = 0; y < H; ++y)
                  for (int x = 0; x < W; ++x)
                    for (int c = 0; c < components; ++c) {
                      int from = bgr && components > 1 && c < 3 ? 2 - c : c;
                      store(memory + 16 + n * image + y * row + x * column + c * component, type, rgba[n][y][x][from]);
                    }
              int64_t offset = 16 + (flip ? row * (H - 1) : 0), rows = flip ? -row : row;
              int64_t nhwc[4] = {N, H, W, components}, nchw[4] = {N, components, H, W};
              int64_t s_nhwc[4] = {image, rows, column, component}, s_nchw[4] = {image, component, rows, column};
              ImageTensor *tensor = NULL;
              ImageBatch *batch = NULL;
              NEED(image_tensor_create_borrowed(
                       memory, sizeof memory, (size_t)offset, type, planar ? IMAGE_LAYOUT_NCHW : IMAGE_LAYOUT_NHWC,
                       planar ? nchw : nhwc, planar ? s_nchw : s_nhwc, 4, on_release, &released, &tensor) == IMAGE_OK);
              ++made;
              NEED(image_tensor_set_bgr(tensor, bgr) == IMAGE_OK);
              NEED(image_batch_create(packer, &batch) == IMAGE_OK);
              NEED(image_batch_add_tensor(batch, tensor, options[1]) == IMAGE_OK);
              image_tensor_release(tensor);
              NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
              CHECK(image_batch_wait(batch, -1) == IMAGE_OK, "type %d", type);
              for (int n = 0; n < N; ++n) {
                ImageData *data = NULL;
                HostBytes png =
                    reference(n, components, type == IMAGE_TENSOR_UINT16, flip, type == IMAGE_TENSOR_BFLOAT16);
                CHECK(image_batch_take_data(batch, (size_t)n, &data) == IMAGE_OK && same(data, png),
                      "type %d planar %d components %d bgr %d padded %d flip %d image %d", type, planar, components,
                      bgr, padded, flip, n);
                image_data_release(data);
                free(png.bytes);
              }
              CHECK(released == made, "released with the last image: %d of %d", released, made);
              image_batch_release(batch);
            }
  printf("%d tensors\n", made);
}

/* One float image through PNG: what it stands for. */
static void scales(void) {
  float values[8] = {-1.0f, 0.0f, 0.25f, 0.5f, 1.0f, 7.0f, NAN, INFINITY};
  int64_t shape[2] = {1, 8};
  const uint8_t plain[8] = {0, 0, 64, 128, 255, 255, 0, 255}, half[8] = {0, 128, 191, 255, 255, 255, 0, 255};
  for (int scaled = 0; scaled < 2; ++scaled) {
    ImageTensor *tensor = NULL;
    ImageBatch *batch = NULL;
    ImageData *data = NULL;
    ImagePixelMap *map = NULL;
    NEED(image_tensor_create_borrowed(values, sizeof values, 0, IMAGE_TENSOR_FLOAT32, IMAGE_LAYOUT_AUTO, shape, NULL, 2,
                                      NULL, NULL, &tensor) == IMAGE_OK);
    if (scaled) NEED(image_tensor_set_scale(tensor, 1.0f, 0.5f) == IMAGE_OK);
    CHECK(image_tensor_set_scale(tensor, NAN, 0) == 401 && image_tensor_set_depth(tensor, 12) == 401, "no numbers");
    NEED(image_batch_create(packer, &batch) == IMAGE_OK);
    NEED(image_batch_add_tensor(batch, tensor, options[1]) == IMAGE_OK);
    NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
    NEED(image_batch_wait(batch, -1) == IMAGE_OK);
    NEED(image_batch_take_data(batch, 0, &data) == IMAGE_OK);
    NEED(image_pixelmap_create_from_copy(8, 1, IMAGE_PIXEL_FORMAT_GRAY_8, scaled ? half : plain, 8, 0, &map) ==
         IMAGE_OK);
    HostBytes png = host_expected(packer, map, options[1]);
    CHECK(same(data, png), "scaled %d", scaled);
    free(png.bytes);
    image_data_release(data);
    image_pixelmap_release(map);
    image_batch_release(batch);
    image_tensor_release(tensor);
  }
}

/* <dlpack/dlpack.h>, as far as it is needed. */
typedef struct {
  void *data;
  struct {
    int32_t type, id;
  } device;
  int32_t ndim;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
} DLTensor;
typedef struct DLManagedTensor {
  DLTensor tensor;
  void *context;
  void (*deleter)(struct DLManagedTensor *);
} DLManagedTensor;
typedef struct DLManagedTensorVersioned {
  struct {
    uint32_t major, minor;
  } version;
  void *context;
  void (*deleter)(struct DLManagedTensorVersioned *);
  uint64_t flags;
  DLTensor tensor;
} DLManagedTensorVersioned;

static int deleted;
static void delete_legacy(DLManagedTensor *tensor) { deleted += tensor->context == &deleted; }
static void delete_versioned(DLManagedTensorVersioned *tensor) { deleted += tensor->context == &deleted; }

static void dlpack(void) {
  static uint8_t pixels[2 * 5 * 6 * 3];
  for (size_t i = 0; i < sizeof pixels; ++i) pixels[i] = (uint8_t)(i * 5);
  for (int legacy = 0; legacy < 2; ++legacy)
    for (int fault = 0; fault < 9; ++fault) {
      int64_t shape[4] = {2, 5, 6, 3}, strides[4] = {90, 18, 3, 1};
      DLTensor tensor = {pixels, {1, 0}, 4, {1, 8, 1}, shape, fault == 1 ? strides : NULL, 0};
      if (fault == 2) tensor.ndim = 7;
      if (fault == 3) tensor.dtype.code = 0; /* signed */
      if (fault == 4) tensor.dtype.lanes = 4;
      if (fault == 5) tensor.device.type = 7; /* Vulkan */
      if (fault == 6) shape[1] = 3;           /* 3 rows of 6 of 3: who knows? */
      if (fault == 7) tensor.data = NULL;
      DLManagedTensor old = {tensor, &deleted, delete_legacy};
      DLManagedTensorVersioned new = {{fault == 8 ? 2 : 1, 0}, &deleted, delete_versioned, 1 /* read-only */, tensor};
      ImageTensor *made = NULL;
      deleted = 0;
      ImageStatus status = legacy ? image_tensor_create_from_dlpack_legacy(&old, IMAGE_LAYOUT_AUTO, &made)
                                  : image_tensor_create_from_dlpack(&new, IMAGE_LAYOUT_AUTO, &made);
      bool well = fault < 2 || (fault == 8 && legacy);
      CHECK(status == (well ? IMAGE_OK : 401), "fault %d: %d", fault, status);
      CHECK(deleted == (well ? 0 : 1), "fault %d: deleted %d times", fault, deleted);
      if (!well) continue;
      size_t images = 0;
      uint32_t width = 0, height = 0;
      CHECK(
          image_tensor_get_size(made, &images, &width, &height) == IMAGE_OK && images == 2 && width == 6 && height == 5,
          "size");
      ImageBatch *batch = NULL;
      NEED(image_batch_create(packer, &batch) == IMAGE_OK);
      NEED(image_batch_add_tensor(batch, made, options[1]) == IMAGE_OK);
      CHECK(image_tensor_release(made) == IMAGE_OK && deleted == 0, "the batch has it");
      NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
      CHECK(image_batch_wait(batch, -1) == IMAGE_OK && deleted == 1, "deleted %d times", deleted);
      for (size_t i = 0; i < 2; ++i) {
        ImagePixelMap *map = NULL;
        ImageData *data = NULL;
        NEED(image_pixelmap_create_from_copy(6, 5, IMAGE_PIXEL_FORMAT_RGB_888, pixels + 90 * i, 90, 0, &map) ==
             IMAGE_OK);
        HostBytes png = host_expected(packer, map, options[1]);
        CHECK(image_batch_take_data(batch, i, &data) == IMAGE_OK && same(data, png), "image %zu", i);
        image_data_release(data);
        image_pixelmap_release(map);
        free(png.bytes);
      }
      image_batch_release(batch);
    }
  ImageTensor *made = NULL;
  int64_t shape[4] = {2, 5, 6, 3};
  CHECK(image_tensor_create_from_dlpack(NULL, IMAGE_LAYOUT_AUTO, &made) == 401, "NULL");
  CHECK(image_tensor_create_borrowed(pixels, sizeof pixels - 1, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_NHWC, shape, NULL,
                                     4, NULL, NULL, &made) == 401,
        "one byte too few");
  CHECK(image_tensor_create_borrowed(pixels, sizeof pixels, 1, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_NHWC, shape, NULL, 4,
                                     NULL, NULL, &made) == 401,
        "one byte too far");
}

/* Which file the presets make: 4:4:4, baseline, the steps of their quality. */
static void presets(void) {
  for (ImagePreset preset = IMAGE_PRESET_CVCUDA_05; preset <= IMAGE_PRESET_CVCUDA_06PLUS; ++preset) {
    ImagePackingOptions *made = NULL;
    NEED(image_packing_options_create_preset(preset, &made) == IMAGE_OK);
    HostBytes file = host_expected(packer, maps[3], made);
    size_t at = 2;
    int first_step = 0, sampling = 0, tables = 0, frame = 0;
    while (at + 4 < file.size && file.bytes[at + 1] != 0xda) {
      uint8_t marker = file.bytes[at + 1];
      const uint8_t *body = file.bytes + at + 4;
      size_t size = (size_t)file.bytes[at + 2] << 8 | file.bytes[at + 3];
      if (marker == 0xdb && first_step == 0) first_step = body[1];
      if (marker >= 0xc0 && marker <= 0xc2) frame = marker, sampling = body[7] | body[10] << 8 | body[13] << 16;
      if (marker == 0xc4) tables += (int)size;
      at += 2 + size;
    }
    CHECK(frame == 0xc0 && sampling == 0x111111, "frame %x sampling %x", frame, sampling);
    CHECK(first_step == (preset == IMAGE_PRESET_CVCUDA_05 ? 2 : 8), "first step %d", first_step);
    CHECK(tables == 0x1a2 || tables == 2 * (0x1f + 0xb5), "standard tables have %d bytes", tables);
    free(file.bytes);
    image_packing_options_release(made);
  }
  ImagePackingOptions *made = NULL;
  CHECK(image_packing_options_create_preset(0, &made) == 401, "no such preset");
}

int main(void) {
  static const uint32_t sides[SIZES][2] = {{1, 1}, {64, 64}, {33, 90}, {320, 240}};
  NEED(image_packer_create(&packer) == IMAGE_OK);
  for (int m = 0; m < SIZES; ++m) maps[m] = host_picture(sides[m][0], sides[m][1]);
  for (size_t i = 0; image_packer_get_supported_format(i) && formats < 8; ++i) {
    const char *format = image_packer_get_supported_format(i);
    if (!host_is_foreign(format)) options[formats++] = host_options(format);
  }
  for (size_t f = 0; f < formats; ++f)
    for (int m = 0; m < SIZES; ++m) want[f][m] = host_expected(packer, maps[m], options[f]);
  outputs();
  failures();
  tensors();
  scales();
  dlpack();
  presets();
  for (size_t f = 0; f < formats; ++f) {
    for (int m = 0; m < SIZES; ++m) free(want[f][m].bytes);
    image_packing_options_release(options[f]);
  }
  for (int m = 0; m < SIZES; ++m) image_pixelmap_release(maps[m]);
  image_packer_release(packer);
  return host_end("batches");
}
