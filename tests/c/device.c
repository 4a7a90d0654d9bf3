/* Tensors in the memory of a CUDA device: who encodes them, in which order the driver is called, what is waited for,
 * and what is left when a call fails. The driver is a test double that the library finds as it finds a real one; the
 * argument says what this run has of it: "all", "no_nvjpeg" or "nothing". */
#include "host.h"

#include <dlfcn.h>

#include "fake_cuda.h"

enum { WIDTH = 40, HEIGHT = 32, IMAGES = 3, ROW = WIDTH * 3, SIZE = ROW * HEIGHT };

static ImagePacker *packer;
static const FakeControl *fake;
static uint8_t pixels[IMAGES * SIZE]; /* NHWC */
static uint8_t planes[IMAGES * SIZE]; /* the same, NCHW */

static int released;
static void release(void *user) { released += user == &released; }

static void fill(void) {
  for (size_t i = 0; i < sizeof pixels; ++i) pixels[i] = (uint8_t)(i * i / 97 + i / 5);
  for (size_t n = 0; n < IMAGES; ++n)
    for (size_t at = 0; at < WIDTH * HEIGHT; ++at)
      for (size_t c = 0; c < 3; ++c) planes[n * SIZE + c * WIDTH * HEIGHT + at] = pixels[n * SIZE + at * 3 + c];
}

static ImagePackingOptions *jpeg(int effort, ImageDeviceUse use) {
  ImagePackingOptions *options = NULL;
  NEED(image_packing_options_create("image/jpeg", 80, &options) == IMAGE_OK);
  NEED(image_packing_options_set_effort(options, effort) == IMAGE_OK);
  NEED(image_packing_options_set_device_use(options, use) == IMAGE_OK);
  return options;
}

/* A tensor's description: 3 images of u8 unless said otherwise. */
typedef struct {
  const uint8_t *bytes;
  size_t size, offset;
  ImageTensorType type;
  ImageTensorLayout layout;
  int64_t shape[4], strides[4];
  bool strided, bgr;
} Tensor;

static const Tensor NHWC = {
    pixels, sizeof pixels, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_NHWC, {IMAGES, HEIGHT, WIDTH, 3}, {0}, false, false};

/* The tensor in the device's memory, its numbers made by a stream that has not got to them, or in the host's. */
static ImageTensor *make(const Tensor *t, bool on_device) {
  ImageTensor *tensor = NULL;
  const void *memory = t->bytes;
  void *stream = NULL;
  if (on_device) {
    void *device = fake->memory(t->size);
    stream = fake->stream();
    fake->produce(stream, device, t->bytes, t->size);
    memory = device;
  }
  NEED(image_tensor_create_on_device(on_device ? IMAGE_DEVICE_CUDA : IMAGE_DEVICE_CPU, 0, memory, t->size, t->offset,
                                     t->type, t->layout, t->shape, t->strided ? t->strides : NULL, 4, release,
                                     &released, &tensor) == IMAGE_OK);
  NEED(image_tensor_set_bgr(tensor, t->bgr) == IMAGE_OK);
  NEED(image_tensor_set_stream(tensor, stream) == IMAGE_OK);
  return tensor;
}

static ImageBatch *run(ImageTensor *tensor, ImagePackingOptions *options, ImageStatus *status) {
  ImageBatch *batch = NULL;
  NEED(image_batch_create(packer, &batch) == IMAGE_OK);
  *status = image_batch_add_tensor(batch, tensor, options);
  if (*status == IMAGE_OK) {
    NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
    *status = image_batch_wait(batch, -1);
  }
  return batch;
}

static ImageBackend backend_of(ImageBatch *batch, size_t index, size_t *warnings) {
  ImageReport *report = NULL;
  ImageBackend backend = 0;
  NEED(image_report_create(&report) == IMAGE_OK);
  CHECK(image_batch_get_report(batch, index, report) == IMAGE_OK, "report %zu", index);
  CHECK(image_report_get_backend(report, &backend) == IMAGE_OK, "backend %zu", index);
  if (warnings) CHECK(image_report_get_warning_count(report, warnings) == IMAGE_OK, "warnings");
  image_report_release(report);
  return backend;
}

static bool same(ImageData *one, ImageData *other) {
  return image_data_size(one) == image_data_size(other) &&
         memcmp(image_data_bytes(one), image_data_bytes(other), image_data_size(one)) == 0;
}

/* What nothing may leave behind: handles of the driver's beside what the packer keeps, and contexts on threads. */
static void quiet(const char *when) {
  CHECK(fake->pushed() == 0, "%s: %d contexts are still some thread's", when, fake->pushed());
  CHECK(released == 1, "%s: released %d times", when, released);
  released = 0;
}

/* What failing calls have left, see failures(). */
static int abandoned;

static void renew(void) {
  if (packer) {
    NEED(image_packer_release(packer) == IMAGE_OK);
    CHECK(fake == NULL || fake->live() <= abandoned, "%d objects of the driver's are left", fake->live());
  }
  NEED(image_packer_create(&packer) == IMAGE_OK);
  NEED(image_packer_set_threads(packer, 2) == IMAGE_OK);
}

/* The text that the fake encoder answers for image `index`. */
static void expected(char *text, size_t size, const Tensor *t, size_t index, int quality, int encoding, int huffman,
                     int sampling) {
  int64_t tight[4] = {SIZE, ROW, 3, 1};
  bool planar = t->layout == IMAGE_LAYOUT_NCHW;
  if (planar) tight[0] = SIZE, tight[1] = WIDTH * HEIGHT, tight[2] = WIDTH, tight[3] = 1;
  const int64_t *strides = t->strided ? t->strides : tight;
  const uint8_t *first = t->bytes + t->offset + strides[0] * (int64_t)index;
  uint64_t hash = 14695981039346656037u;
  for (int plane = 0; plane < (planar ? 3 : 1); ++plane)
    for (int y = 0; y < HEIGHT; ++y)
      hash = planar ? fake_hash(hash, first + strides[1] * (t->bgr ? 2 - plane : plane) + strides[2] * y, WIDTH)
                    : fake_hash(hash, first + strides[1] * y, ROW);
  snprintf(text, size, "quality %d encoding %x huffman %d sampling %d format %d size %dx%d pixels %016llx", quality,
           (unsigned)encoding, huffman, sampling,
           planar   ? 3
           : t->bgr ? 6
                    : 5,
           WIDTH, HEIGHT, (unsigned long long)hash);
}

static void check_encoded(ImageBatch *batch, const Tensor *t, int quality, int encoding, int huffman, int sampling) {
  for (size_t i = 0; i < IMAGES; ++i) {
    char text[256];
    ImageData *data = NULL;
    expected(text, sizeof text, t, i, quality, encoding, huffman, sampling);
    CHECK(image_batch_take_data(batch, i, &data) == IMAGE_OK && image_data_size(data) == strlen(text) &&
              memcmp(image_data_bytes(data), text, strlen(text)) == 0,
          "image %zu: %.*s, not %s", i, (int)image_data_size(data), (const char *)image_data_bytes(data), text);
    image_data_release(data);
  }
}

/* Layouts that the device encodes: the right planes, pitches and parameters. */
static void encoded_there(void) {
  Tensor cases[8];
  for (size_t i = 0; i < 8; ++i) cases[i] = NHWC;
  cases[1].bgr = true;
  cases[2] = (Tensor){planes, sizeof planes, 0,    IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_NCHW, {IMAGES, 3, HEIGHT, WIDTH},
                      {0},    false,         false};
  cases[3] = cases[2];
  cases[3].bgr = true;
  /* From the last image to the first. */
  cases[4].strided = true;
  cases[4].offset = 2 * SIZE;
  memcpy(cases[4].strides, (int64_t[4]){-SIZE, ROW, 3, 1}, sizeof cases[4].strides);
  /* One image, repeated. */
  cases[5].strided = true;
  cases[5].offset = SIZE;
  memcpy(cases[5].strides, (int64_t[4]){0, ROW, 3, 1}, sizeof cases[5].strides);
  /* Planes from blue to red: a negative stride. */
  cases[6] = cases[2];
  cases[6].strided = true;
  cases[6].offset = 2 * WIDTH * HEIGHT;
  memcpy(cases[6].strides, (int64_t[4]){SIZE, -WIDTH * HEIGHT, WIDTH, 1}, sizeof cases[6].strides);
  /* Every second row, in a smaller number of images. */
  for (size_t i = 0; i < 7; ++i) {
    ImagePackingOptions *options = jpeg(1, IMAGE_DEVICE_USE_AUTO);
    ImageTensor *tensor = make(&cases[i], true);
    ImageStatus status;
    size_t warnings = 9;
    ImageBatch *batch = run(tensor, options, &status);
    image_tensor_release(tensor);
    CHECK(status == IMAGE_OK, "layout %zu", i);
    for (size_t image = 0; image < IMAGES; ++image)
      CHECK(backend_of(batch, image, &warnings) == IMAGE_BACKEND_NVJPEG && warnings == 0, "layout %zu", i);
    check_encoded(batch, &cases[i], 80, 0xc0, 0, 2);
    image_batch_release(batch);
    image_packing_options_release(options);
    quiet("encoded");
  }
}

/* What options become. */
static void parameters(void) {
  const struct {
    int effort, quality;
    ImageSubsampling subsampling;
    ImageDeviceUse use;
    int want_quality, encoding, huffman, sampling;
  } cases[] = {
      {1, 75, IMAGE_SUBSAMPLING_444, IMAGE_DEVICE_USE_AUTO, 75, 0xc0, 0, 0},
      {3, 0, IMAGE_SUBSAMPLING_422, IMAGE_DEVICE_USE_AUTO, 1, 0xc0, 1, 1},
      {2, 100, IMAGE_SUBSAMPLING_AUTO, IMAGE_DEVICE_USE_AUTO, 100, 0xc0, 1, 0},
      {5, 89, IMAGE_SUBSAMPLING_AUTO, IMAGE_DEVICE_USE_GPU, 89, 0xc0, 1, 2},
      {8, 60, IMAGE_SUBSAMPLING_420, IMAGE_DEVICE_USE_GPU, 60, 0xc2, 1, 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    ImagePackingOptions *options = jpeg(cases[i].effort, cases[i].use);
    NEED(image_packing_options_set_quality(options, cases[i].quality) == IMAGE_OK);
    NEED(image_packing_options_set_subsampling(options, cases[i].subsampling) == IMAGE_OK);
    ImageTensor *tensor = make(&NHWC, true);
    ImageStatus status;
    ImageBatch *batch = run(tensor, options, &status);
    CHECK(status == IMAGE_OK, "case %zu", i);
    check_encoded(batch, &NHWC, cases[i].want_quality, cases[i].encoding, cases[i].huffman, cases[i].sampling);
    image_batch_release(batch);
    image_tensor_release(tensor);
    image_packing_options_release(options);
    quiet("parameters");
  }
  ImagePackingOptions *preset = NULL;
  NEED(image_packing_options_create_preset(IMAGE_PRESET_CVCUDA_06PLUS, &preset) == IMAGE_OK);
  CHECK(image_packing_options_set_device_use(preset, 3) == 401, "no such use");
  ImageTensor *tensor = make(&NHWC, true);
  ImageStatus status;
  ImageBatch *batch = run(tensor, preset, &status);
  check_encoded(batch, &NHWC, 75, 0xc0, 0, 0);
  image_batch_release(batch);
  image_tensor_release(tensor);
  image_packing_options_release(preset);
  quiet("preset");
}

/* What the host has to encode: the same bytes as if the tensor were in its memory. */
static void encoded_here(void) {
  Tensor cases[8];
  static float floats[IMAGES * SIZE];
  for (size_t i = 0; i < sizeof pixels; ++i) floats[i] = (float)planes[i] / 255.0f;
  for (size_t i = 0; i < 8; ++i) cases[i] = NHWC;
  /* 0 and 1: other options, below. 2: upside down. */
  cases[2].strided = true;
  cases[2].offset = SIZE - ROW;
  memcpy(cases[2].strides, (int64_t[4]){SIZE, -ROW, 3, 1}, sizeof cases[2].strides);
  cases[3] = (Tensor){(const uint8_t *)floats,
                      sizeof floats,
                      0,
                      IMAGE_TENSOR_FLOAT32,
                      IMAGE_LAYOUT_NCHW,
                      {IMAGES, 3, HEIGHT, WIDTH},
                      {0},
                      false,
                      false};
  /* Four components, one component, every second column of rows with something behind them. */
  memcpy(cases[4].shape, (int64_t[4]){IMAGES, HEIGHT, WIDTH * 3 / 4, 4}, sizeof cases[4].shape);
  memcpy(cases[5].shape, (int64_t[4]){IMAGES, HEIGHT, WIDTH * 3, 1}, sizeof cases[5].shape);
  memcpy(cases[6].shape, (int64_t[4]){IMAGES, HEIGHT, WIDTH / 2, 3}, sizeof cases[6].shape);
  cases[6].strided = true;
  memcpy(cases[6].strides, (int64_t[4]){SIZE, ROW, 6, 1}, sizeof cases[6].strides);
  /* Too small for the device, and rows that are not all used. */
  memcpy(cases[7].shape, (int64_t[4]){IMAGES, 9, 7, 3}, sizeof cases[7].shape);
  cases[7].strided = true;
  memcpy(cases[7].strides, (int64_t[4]){SIZE, ROW, 3, 1}, sizeof cases[7].strides);
  for (size_t i = 0; i < 12; ++i) {
    size_t c = i < 8 ? i : 2;
    ImagePackingOptions *options = jpeg(i == 0 ? 5 : 1, i == 1 ? IMAGE_DEVICE_USE_CPU : IMAGE_DEVICE_USE_AUTO);
    if (i == 8) {
      NEED(image_packing_options_set_format(options, "image/png") == IMAGE_OK);
      c = 0;
    }
    if (i == 9) {
      NEED(image_packing_options_set(options, "jpeg.restart_interval", "7") == IMAGE_OK);
      c = 0;
    }
    if (i == 10) {
      NEED(image_packing_options_set_density(options, 72, 72) == IMAGE_OK);
      c = 0;
    }
    ImageTensor *tensor = make(&cases[c], true), *here = make(&cases[c], false);
    ImageStatus status;
    size_t warnings = 9, blended = 9;
    fake->reset(0);
    ImageBatch *batch = run(tensor, options, &status);
    CHECK(status == IMAGE_OK, "case %zu", i);
    int copies = 0;
    for (int call = 0; call < fake->calls(); ++call) {
      copies += strcmp(fake->call(call).name, "cuMemcpyDtoHAsync_v2") == 0;
      CHECK(strncmp(fake->call(call).name, "nvjpegEncode", 12) != 0, "case %zu: %s", i, fake->call(call).name);
    }
    CHECK(copies == IMAGES, "case %zu: %d copies", i, copies);
    ImageBatch *wanted = run(here, options, &status);
    NEED(status == IMAGE_OK);
    for (size_t image = 0; image < IMAGES; ++image) {
      ImageData *data = NULL, *want = NULL;
      CHECK(backend_of(batch, image, &warnings) == IMAGE_BACKEND_CPU &&
                backend_of(wanted, image, &blended) == IMAGE_BACKEND_CPU && warnings == blended,
            "case %zu", i);
      CHECK(image_batch_take_data(batch, image, &data) == IMAGE_OK &&
                image_batch_take_data(wanted, image, &want) == IMAGE_OK && same(data, want),
            "case %zu, image %zu", i, image);
      image_data_release(data);
      image_data_release(want);
    }
    image_batch_release(batch);
    image_batch_release(wanted);
    image_tensor_release(here);
    --released; /* the host's */
    /* Demanded of the device, it is an error. */
    if (i >= 2) {
      NEED(image_packing_options_set_device_use(options, IMAGE_DEVICE_USE_GPU) == IMAGE_OK);
      batch = run(tensor, options, &status);
      CHECK(status == 401 && image_batch_get_status(batch, 1) == 401 &&
                image_packer_last_error_cause() == IMAGE_CAUSE_UNSUPPORTED,
            "case %zu: %d", i, status);
      image_batch_release(batch);
    }
    image_tensor_release(tensor);
    image_packing_options_release(options);
    quiet("here");
  }
  ImagePackingOptions *options = jpeg(1, IMAGE_DEVICE_USE_GPU);
  ImageTensor *tensor = make(&NHWC, false);
  ImageStatus status;
  ImageBatch *batch = run(tensor, options, &status);
  CHECK(status == 401, "the GPU, for the host's memory");
  image_batch_release(batch);
  image_tensor_release(tensor);
  image_packing_options_release(options);
  quiet("the host's");
}

/* The calls of one image, in order, and on which stream. */
static void order(void) {
  static const char *const first[] = {"cuDeviceGetCount",
                                      "cuDeviceGet",
                                      "cuDevicePrimaryCtxRetain",
                                      "cuCtxPushCurrent_v2",
                                      "cuEventCreate",
                                      "cuEventRecord", /* on the producer's stream; the rest on one of our own */
                                      "cuCtxPopCurrent_v2",
                                      "cuCtxPushCurrent_v2",
                                      "nvjpegGetProperty",
                                      "nvjpegGetProperty",
                                      "nvjpegGetProperty",
                                      "nvjpegCreateSimple",
                                      "cuCtxPopCurrent_v2",
                                      "cuCtxPushCurrent_v2",
                                      "cuStreamCreate",
                                      "cuStreamWaitEvent",
                                      "nvjpegEncoderStateCreate",
                                      "nvjpegEncoderParamsCreate",
                                      "nvjpegEncoderParamsSetQuality",
                                      "nvjpegEncoderParamsSetEncoding",
                                      "nvjpegEncoderParamsSetOptimizedHuffman",
                                      "nvjpegEncoderParamsSetSamplingFactors",
                                      "nvjpegEncodeImage",
                                      "nvjpegEncodeRetrieveBitstream",
                                      "cuStreamSynchronize",
                                      "nvjpegEncodeRetrieveBitstream",
                                      "cuStreamSynchronize",
                                      "cuCtxPopCurrent_v2",
                                      "cuCtxPushCurrent_v2",
                                      "cuEventDestroy_v2",
                                      "cuCtxPopCurrent_v2"};
  Tensor one = NHWC;
  one.shape[0] = 1;
  renew();
  ImageTensor *tensor = make(&one, true);
  ImagePackingOptions *options = jpeg(1, IMAGE_DEVICE_USE_AUTO);
  ImageStatus status;
  fake->reset(0);
  ImageBatch *batch = run(tensor, options, &status);
  CHECK(status == IMAGE_OK, "order");
  int count = (int)(sizeof first / sizeof *first);
  void *own = NULL, *producer = NULL;
  CHECK(fake->calls() == count, "%d calls", fake->calls());
  for (int i = 0; i < count && i < fake->calls(); ++i) {
    FakeCall call = fake->call(i);
    CHECK(strcmp(call.name, first[i]) == 0, "call %d is %s, not %s", i, call.name, first[i]);
    if (strcmp(call.name, "cuEventRecord") == 0) producer = call.stream;
    if (strcmp(call.name, "cuStreamWaitEvent") == 0) own = call.stream;
    if (own) CHECK(call.stream == own || call.stream == NULL, "call %d is on another stream", i);
  }
  CHECK(own != NULL && producer != NULL && own != producer, "two streams");
  image_batch_release(batch);
  image_tensor_release(tensor);
  quiet("order");

  /* The second image finds all in place; the end of the packer gives it back. */
  tensor = make(&one, true);
  fake->reset(0);
  batch = run(tensor, options, &status);
  for (int i = 0; i < fake->calls(); ++i)
    CHECK(strstr(fake->call(i).name, "Create") == NULL || strcmp(fake->call(i).name, "cuEventCreate") == 0, "%s again",
          fake->call(i).name);
  image_batch_release(batch);
  image_tensor_release(tensor);
  quiet("again");
  fake->reset(0);
  renew();
  static const char *const last[] = {
      "cuCtxPushCurrent_v2", "nvjpegEncoderParamsDestroy", "nvjpegEncoderStateDestroy",   "cuStreamDestroy_v2",
      "nvjpegDestroy",       "cuCtxPopCurrent_v2",         "cuDevicePrimaryCtxRelease_v2"};
  for (int i = 0; i < 7; ++i) CHECK(strcmp(fake->call(i).name, last[i]) == 0, "end %d is %s", i, fake->call(i).name);
  image_packing_options_release(options);
}

/* Each call fails in turn: the host does it, or a clear error; nothing is left. */
static void failures(ImageDeviceUse use) {
  ImagePackingOptions *options = jpeg(1, use);
  int well = 0, refused = 0, at = 1;
  for (bool over = false; !over; ++at) {
    renew();
    int left = fake->live();
    released = 0;
    NEED(image_packer_set_threads(packer, 1) == IMAGE_OK);
    Tensor one = NHWC;
    one.shape[0] = 2;
    ImageTensor *tensor = NULL, *here = make(&one, false);
    void *memory = fake->memory(one.size);
    fake->produce(NULL, memory, one.bytes, one.size);
    fake->reset(at);
    ImageStatus made = image_tensor_create_on_device(IMAGE_DEVICE_CUDA_MANAGED, 1, memory, one.size, 0, one.type,
                                                     one.layout, one.shape, NULL, 4, release, &released, &tensor);
    if (made == IMAGE_OK) {
      ImageStatus status, other;
      ImageBatch *batch = run(tensor, options, &status);
      over = fake->calls() < at;
      ImagePackingOptions *plain = jpeg(1, IMAGE_DEVICE_USE_CPU);
      ImageBatch *wanted = run(here, plain, &other);
      image_packing_options_release(plain);
      if (status == IMAGE_OK)
        ++well;
      else
        ++refused;
      for (size_t i = 0; i < 2 && image_batch_get_status(batch, i) != 401; ++i) {
        ImageData *data = NULL, *want = NULL;
        ImageStatus ended = image_batch_take_data(batch, i, &data);
        if (ended == IMAGE_OK && backend_of(batch, i, NULL) == IMAGE_BACKEND_CPU) {
          NEED(image_batch_take_data(wanted, i, &want) == IMAGE_OK);
          CHECK(use != IMAGE_DEVICE_USE_GPU && same(data, want), "call %d: image %zu is another", at, i);
          image_data_release(want);
        } else if (ended != IMAGE_OK) {
          CHECK(strstr(image_packer_last_error_message(), " answers ") != NULL, "call %d: %d", at, ended);
        }
        image_data_release(data);
      }
      image_batch_release(batch);
      image_batch_release(wanted);
      CHECK(image_tensor_release(tensor) == IMAGE_OK && released == 1, "call %d: released %d times", at, released);
    } else {
      ++refused;
      CHECK(strstr(image_packer_last_error_message(), " answers ") != NULL && released == 0, "call %d: %d", at, made);
    }
    CHECK(fake->pushed() == 0, "call %d: %d contexts", at, fake->pushed());
    image_tensor_release(here);
    NEED(image_packer_release(packer) == IMAGE_OK);
    packer = NULL;
    /* What ends with its context when that cannot be entered to end it. */
    bool barred = fake->calls() >= at && strcmp(fake->call(at - 1).name, "cuCtxPushCurrent_v2") == 0;
    CHECK(fake->live() == left || barred, "call %d: %d objects are left", at, fake->live() - left);
  }
  printf("use %d: %d calls failed in turn, %d packs did well all the same, %d were refused\n", use, at - 2, well - 1,
         refused);
  CHECK(at > 15 && well > 1 && refused > 1, "%d calls", at);
  image_packing_options_release(options);
  fake->reset(0);
  abandoned = fake->live();
  renew();
  released = 0;
}

static void arguments(void) {
  ImageTensor *tensor = NULL;
  void *memory = fake->memory(SIZE);
  const int64_t shape[3] = {HEIGHT, WIDTH, 3};
  for (int device = -1; device <= FAKE_DEVICES; ++device) {
    bool there = device >= 0 && device < FAKE_DEVICES;
    ImageStatus status = image_tensor_create_on_device(IMAGE_DEVICE_CUDA, device, memory, SIZE, 0, IMAGE_TENSOR_UINT8,
                                                       IMAGE_LAYOUT_HWC, shape, NULL, 3, release, &released, &tensor);
    CHECK(status == (there ? IMAGE_OK : 401) && released == 0, "device %d: %d", device, status);
    if (!there) continue;
    ImageDeviceType type = 0;
    int32_t number = -1;
    CHECK(image_tensor_get_device(tensor, &type, &number) == IMAGE_OK && type == IMAGE_DEVICE_CUDA && number == device,
          "device");
    image_tensor_release(tensor);
    CHECK(released == 1, "released");
    released = 0;
  }
  CHECK(image_tensor_create_on_device(IMAGE_DEVICE_CUDA, 0, memory, SIZE - 1, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_HWC,
                                      shape, NULL, 3, release, &released, &tensor) == 401,
        "a byte too few");
  CHECK(image_tensor_create_on_device(8, 0, memory, SIZE, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_HWC, shape, NULL, 3,
                                      release, &released, &tensor) == 401 &&
            image_packer_last_error_cause() == IMAGE_CAUSE_UNSUPPORTED,
        "another kind of device");
  NEED(image_tensor_create_on_device(IMAGE_DEVICE_CUDA_HOST, 9, pixels, SIZE, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_HWC,
                                     shape, NULL, 3, NULL, NULL, &tensor) == IMAGE_OK);
  ImageDeviceType type = 0;
  CHECK(image_tensor_get_device(tensor, &type, NULL) == IMAGE_OK && type == IMAGE_DEVICE_CPU, "pinned is the host's");
  image_tensor_release(tensor);
}

/* <dlpack/dlpack.h>, version 1. */
typedef struct Managed {
  uint32_t version[2];
  void *context;
  void (*deleter)(struct Managed *);
  uint64_t flags;
  struct {
    void *data;
    int32_t device_type, device;
    int32_t dimensions;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t offset;
  } tensor;
} Managed;
static void delete_managed(Managed *managed) { released += managed->context == &released; }

static void dlpack(bool there) {
  int64_t shape[4] = {IMAGES, HEIGHT, WIDTH, 3};
  for (int32_t type = IMAGE_DEVICE_CUDA; type <= IMAGE_DEVICE_CUDA_MANAGED; type += 11) {
    void *memory = fake ? fake->memory(sizeof pixels) : pixels;
    void *stream = fake ? fake->stream() : NULL;
    if (fake) fake->produce(stream, memory, pixels, sizeof pixels);
    Managed managed = {{1, 0}, &released, delete_managed, 0, {memory, type, 0, 4, 1, 8, 1, shape, NULL, 0}};
    ImageTensor *tensor = NULL;
    ImageStatus status = image_tensor_create_from_dlpack(&managed, IMAGE_LAYOUT_NHWC, &tensor);
    CHECK(status == (there ? IMAGE_OK : 401), "type %d: %d", type, status);
    if (there) {
      ImagePackingOptions *options = jpeg(1, IMAGE_DEVICE_USE_GPU);
      NEED(image_tensor_set_stream(tensor, stream) == IMAGE_OK);
      ImageBatch *batch = run(tensor, options, &status);
      CHECK(status == IMAGE_OK && released == 0, "dlpack");
      check_encoded(batch, &NHWC, 80, 0xc0, 0, 2);
      image_tensor_release(tensor);
      image_batch_release(batch);
      image_packing_options_release(options);
    } else {
      CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_UNSUPPORTED &&
                strstr(image_packer_last_error_message(), "libcuda.so.1") != NULL,
            "what is missing");
    }
    CHECK(released == 1, "deleted %d times", released);
    released = 0;
  }
}

/* Many images on several threads: as many lanes as threads, all right. */
static void many(void) {
  renew();
  NEED(image_packer_set_threads(packer, 4) == IMAGE_OK);
  ImagePackingOptions *options = jpeg(1, IMAGE_DEVICE_USE_AUTO);
  ImageTensor *tensor = make(&NHWC, true);
  ImageBatch *batch = NULL;
  NEED(image_batch_create(packer, &batch) == IMAGE_OK);
  fake->reset(0);
  for (int i = 0; i < 40; ++i) NEED(image_batch_add_tensor(batch, tensor, options) == IMAGE_OK);
  NEED(image_batch_to_arena(batch) == IMAGE_OK);
  NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
  CHECK(image_batch_wait(batch, -1) == IMAGE_OK, "many");
  ImageData *bytes = NULL, *offsets = NULL;
  CHECK(image_batch_take_arena(batch, &bytes, &offsets) == IMAGE_OK, "arena");
  const int64_t *at = (const int64_t *)(const void *)image_data_bytes(offsets);
  char text[256];
  for (size_t i = 0; i < 40 * IMAGES; ++i) {
    expected(text, sizeof text, &NHWC, i % IMAGES, 80, 0xc0, 0, 2);
    CHECK(
        (size_t)(at[i + 1] - at[i]) == strlen(text) && memcmp(image_data_bytes(bytes) + at[i], text, strlen(text)) == 0,
        "image %zu", i);
  }
  int streams = 0;
  for (int i = 0; i < fake->calls(); ++i) streams += strcmp(fake->call(i).name, "cuStreamCreate") == 0;
  CHECK(streams >= 1 && streams <= 4, "%d streams", streams);
  image_data_release(bytes);
  image_data_release(offsets);
  image_batch_release(batch);
  image_tensor_release(tensor);
  quiet("many");

  /* What is brought to the host is counted there. */
  NEED(image_packing_options_set_device_use(options, IMAGE_DEVICE_USE_CPU) == IMAGE_OK);
  NEED(image_packer_set_memory_limit(packer, SIZE / 2) == IMAGE_OK);
  ImageStatus status;
  tensor = make(&NHWC, true);
  batch = run(tensor, options, &status);
  CHECK(status == IMAGE_ERROR_FAILED && image_packer_last_error_cause() == IMAGE_CAUSE_LIMIT, "%d", status);
  image_batch_release(batch);
  NEED(image_packer_set_memory_limit(packer, (4 << 20) + SIZE) == IMAGE_OK);
  batch = run(tensor, options, &status);
  CHECK(status == IMAGE_OK, "one after the other: %d", status);
  image_batch_release(batch);
  image_tensor_release(tensor);
  image_packing_options_release(options);
  quiet("limited");
}

static ImageTensor *of_parent;
static ImageBatch *parents;

/* A child cannot use what its parent started: it says so, and touches nothing of the driver's (the fake would abort).
 */
static void child(void) {
  ImageTensor *tensor = NULL;
  const int64_t shape[3] = {HEIGHT, WIDTH, 3};
  ImagePackingOptions *options = jpeg(1, IMAGE_DEVICE_USE_AUTO);
  ImageBatch *batch = NULL;
  CHECK(image_tensor_create_on_device(IMAGE_DEVICE_CUDA, 0, pixels, SIZE, 0, IMAGE_TENSOR_UINT8, IMAGE_LAYOUT_HWC,
                                      shape, NULL, 3, NULL, NULL, &tensor) == 401 &&
            image_packer_last_error_cause() == IMAGE_CAUSE_UNSUPPORTED &&
            strstr(image_packer_last_error_message(), "forked") != NULL,
        "a tensor");
  NEED(image_batch_create(packer, &batch) == IMAGE_OK);
  CHECK(image_batch_add_tensor(batch, of_parent, options) == 401, "the parent's tensor");
  NEED(image_batch_add_pixelmap(batch, host_picture(40, 30), options) == IMAGE_OK);
  NEED(image_batch_start(batch, NULL, NULL, NULL) == IMAGE_OK);
  CHECK(image_batch_wait(batch, -1) == IMAGE_OK, "the host's images go on");
  image_batch_release(batch);
  image_batch_release(parents);
  image_tensor_release(of_parent);
  image_packer_release(packer);
}

static void forked(void) {
  ImagePackingOptions *options = jpeg(1, IMAGE_DEVICE_USE_AUTO);
  ImageStatus status;
  renew();
  of_parent = make(&NHWC, true);
  image_batch_release(run(of_parent, options, &status));
  NEED(image_batch_create(packer, &parents) == IMAGE_OK);
  NEED(image_batch_add_tensor(parents, of_parent, options) == IMAGE_OK);
  CHECK(host_apart(child) == 0, "a forked child");
  image_batch_release(parents);
  CHECK(image_tensor_release(of_parent) == IMAGE_OK, "the parent goes on");
  quiet("forked");
  image_packing_options_release(options);
}

int main(int argc, char **argv) {
  const char *have = argc > 1 ? argv[1] : "all";
  fill();
  if (strcmp(have, "nothing") == 0) {
    if (dlopen("libcuda.so.1", RTLD_NOW) != NULL) return SKIPPED;
    renew();
    dlpack(false);
    return host_end("device, without a driver");
  }
  void *driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (driver == NULL) fprintf(stderr, "%s\n", dlerror());
  NEED(driver != NULL);
  FakeControlFn control = (FakeControlFn)(uintptr_t)dlsym(driver, "fake_cuda_control");
  if (control == NULL) return SKIPPED; /* a real one */
  fake = control();
  renew();
  if (strcmp(have, "no_nvjpeg") == 0) {
    ImagePackingOptions *options = jpeg(1, IMAGE_DEVICE_USE_AUTO);
    ImageTensor *tensor = make(&NHWC, true);
    ImageStatus status;
    size_t warnings = 0;
    ImageBatch *batch = run(tensor, options, &status);
    CHECK(status == IMAGE_OK && backend_of(batch, 2, &warnings) == IMAGE_BACKEND_CPU && warnings == 1, "the host");
    image_batch_release(batch);
    NEED(image_packing_options_set_device_use(options, IMAGE_DEVICE_USE_GPU) == IMAGE_OK);
    batch = run(tensor, options, &status);
    CHECK(status == 401 && strstr(image_packer_last_error_message(), "libnvjpeg.so.12") != NULL, "demanded");
    image_batch_release(batch);
    image_tensor_release(tensor);
    image_packing_options_release(options);
    quiet("no nvJPEG");
    renew();
    return host_end("device, without nvJPEG");
  }
  order();
  encoded_there();
  parameters();
  encoded_here();
  arguments();
  dlpack(true);
  many();
  failures(IMAGE_DEVICE_USE_AUTO);
  failures(IMAGE_DEVICE_USE_GPU);
  failures(IMAGE_DEVICE_USE_CPU);
  forked();
  renew();
  return host_end("device");
}
