/* Any bytes as an image source: its header, its frames, the picture that it is, its metadata taken out and put back,
 * and a pack of what was read. Nothing may be worse than an error, and what is written has to be readable. */
#include <image_packer.h>
#include <stdint.h>
#include <stdlib.h>

/* Larger images take time that is better spent on more files. */
#define MOST_PIXELS (1u << 18)
#define MOST_FRAMES 3

static void readable(const void *bytes, size_t size) {
  ImageSource *source = NULL;
  ImagePixelMap *pixels = NULL;
  if (image_source_create_from_copy(bytes, size, &source) != IMAGE_OK) abort();
  if (image_source_create_pixelmap(source, 0, &pixels) != IMAGE_OK) abort();
  image_pixelmap_release(pixels);
  image_source_release(source);
}

static void packed(ImageStatus status, ImageData **data) {
  if (status != IMAGE_OK) return;
  readable(image_data_bytes(*data), image_data_size(*data));
  image_data_release(*data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ImageSource *source = NULL;
  if (image_source_create_from_copy(bytes, size, &source) != IMAGE_OK) return 0;
  uint32_t width = 0, height = 0;
  size_t frames = 0;
  image_source_get_size(source, &width, &height);
  image_source_get_frame_count(source, &frames);
  if ((uint64_t)width * height <= MOST_PIXELS) {
    for (size_t frame = 0; frame < frames && frame < MOST_FRAMES; ++frame) {
      ImagePixelMap *pixels = NULL;
      if (image_source_create_pixelmap(source, frame, &pixels) == IMAGE_OK) image_pixelmap_release(pixels);
    }
    ImagePacker *packer = NULL;
    ImagePackingOptions *options = NULL;
    const char *formats[] = {"image/jpeg", "image/png", "image/webp"};
    if (image_packer_create(&packer) != IMAGE_OK ||
        image_packing_options_create(formats[size % 3], 50, &options) != IMAGE_OK) {
      abort();
    }
    image_packer_set_threads(packer, 1);
    image_packing_options_set_effort(options, 1);
    image_packing_options_set_needs_pack_properties(options, true);
    image_packing_options_set_keep_gps(options, size & 4);
    image_packing_options_set_color(options, size & 8 ? IMAGE_COLOR_SRGB : IMAGE_COLOR_KEEP);
    ImageData *data = NULL;
    packed(image_packer_pack_to_data_from_source(packer, source, options, &data), &data);
    ImagePicture *picture = NULL;
    if (image_source_create_picture(source, &picture) == IMAGE_OK) {
      packed(image_packer_pack_to_data_from_picture(packer, picture, options, &data), &data);
      image_picture_release(picture);
    }
    image_packing_options_release(options);
    image_packer_release(packer);
  }
  ImagePicture *metadata = NULL;
  if (image_source_create_metadata(source, &metadata) == IMAGE_OK) {
    ImageData *data = NULL;
    image_picture_remove_gps(metadata);
    image_picture_set_property(metadata, IMAGE_PROPERTY_SOFTWARE, "a fuzzer");
    if (image_packer_edit_metadata_to_data(source, metadata, &data) == IMAGE_OK) image_data_release(data);
    image_picture_release(metadata);
  }
  image_source_release(source);
  return 0;
}
