/* Any bytes as a block of metadata, by the first of them: EXIF, XMP, IPTC, an ICC profile. It is changed, packed, and
 * read again. */
#include <image_packer.h>
#include <stdint.h>
#include <stdlib.h>

static void change(ImagePicture *picture) {
  double north, east, up;
  ImageData *text = NULL;
  for (ImageProperty property = IMAGE_PROPERTY_MAKE; property <= IMAGE_PROPERTY_DATE_CHANGED; ++property) {
    if (image_picture_get_property(picture, property, &text) == IMAGE_OK && text != NULL) image_data_release(text);
  }
  image_picture_get_gps(picture, &north, &east, &up);
  image_picture_set_property(picture, IMAGE_PROPERTY_MAKE, "a maker with a name of some length");
  image_picture_set_property(picture, IMAGE_PROPERTY_DATE, "2024:05:06 07:08:09");
  image_picture_set_property(picture, IMAGE_PROPERTY_MODEL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const uint8_t gray[8 * 8];
  if (size < 1) return 0;
  unsigned kind = bytes[0] % 4, how = bytes[0] / 4;
  ImagePixelMap *pixels = NULL;
  ImagePicture *picture = NULL;
  ImagePacker *packer = NULL;
  ImagePackingOptions *options = NULL;
  ImageData *data = NULL;
  const char *formats[] = {"image/jpeg", "image/png", "image/webp", "image/gif"};
  if (image_pixelmap_create_from_copy(8, 8, IMAGE_PIXEL_FORMAT_GRAY_8, gray, sizeof gray, 0, &pixels) != IMAGE_OK ||
      image_picture_create(pixels, &picture) != IMAGE_OK || image_packer_create(&packer) != IMAGE_OK ||
      image_packing_options_create(formats[how % 4], 50, &options) != IMAGE_OK) {
    abort();
  }
  ++bytes, --size;
  const ImageMetadataType types[] = {IMAGE_METADATA_EXIF, IMAGE_METADATA_XMP, IMAGE_METADATA_IPTC};
  ImageStatus status = kind == 3 ? image_pixelmap_set_icc_profile(pixels, bytes, size)
                                 : image_picture_set_metadata(picture, types[kind], bytes, size);
  if (status == IMAGE_OK) {
    if (how & 4) change(picture);
    if (how & 8) image_picture_remove_gps(picture);
    image_packer_set_threads(packer, 1);
    image_packing_options_set_effort(options, 1);
    image_packing_options_set_needs_pack_properties(options, true);
    image_packing_options_set_keep_gps(options, how & 16);
    image_packing_options_set_max_embed_thumbnail(options, how & 32 ? 4 : 0);
    if (image_packer_pack_to_data_from_picture(packer, picture, options, &data) == IMAGE_OK) {
      ImageSource *source = NULL;
      ImagePicture *again = NULL;
      if (image_source_create_from_copy(image_data_bytes(data), image_data_size(data), &source) != IMAGE_OK ||
          image_source_create_picture(source, &again) != IMAGE_OK) {
        abort();
      }
      image_picture_release(again);
      image_source_release(source);
      image_data_release(data);
    }
  }
  image_packing_options_release(options);
  image_packer_release(packer);
  image_picture_release(picture);
  image_pixelmap_release(pixels);
  return 0;
}
