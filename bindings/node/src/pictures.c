/* Pictures: a main image, what belongs to it, and its metadata. */

#include "addon.h"

static void drop_picture(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_picture_release(data);
}

napi_value picture_out(napi_env env, ImagePicture *picture) { return handle_out(env, picture, drop_picture); }

static napi_value null_of(napi_env env) {
  napi_value value = NULL;
  napi_get_null(env, &value);
  return value;
}

/* The first of `count` arguments, which is a picture. */
static bool picture_in(napi_env env, napi_callback_info info, size_t count, napi_value *values, void **picture) {
  return arguments(env, info, count, values) && handle_in(env, values[0], picture);
}

static napi_value createPicture(napi_env env, napi_callback_info info) {
  napi_value value;
  void *pixelmap;
  ImagePicture *picture;
  if (!picture_in(env, info, 1, &value, &pixelmap) || !passed(env, image_picture_create(pixelmap, &picture)))
    return NULL;
  return picture_out(env, picture);
}

static napi_value releasePicture(napi_env env, napi_callback_info info) {
  napi_value value;
  void *picture;
  if (picture_in(env, info, 1, &value, &picture)) passed(env, image_picture_release(picture));
  return NULL;
}

/* ---- images: which is an ImageAuxiliaryType, or one of these ---- */

enum { MAIN = 0, HDR_RENDITION = -1 };

/* pictureMap(picture, which) is a pixel map or null */
static napi_value pictureMap(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *picture;
  int64_t which;
  ImagePixelMap *pixelmap = NULL;
  if (!picture_in(env, info, 2, values, &picture) || !integer_in(env, values[1], HDR_RENDITION, INT32_MAX, &which) ||
      !passed(env, which == MAIN ? image_picture_get_main(picture, &pixelmap)
                   : which == HDR_RENDITION
                       ? image_picture_get_hdr_rendition(picture, &pixelmap)
                       : image_picture_get_auxiliary(picture, (ImageAuxiliaryType)which, &pixelmap)))
    return NULL;
  return pixelmap == NULL ? null_of(env) : pixelmap_out(env, pixelmap);
}

/* setPictureMap(picture, which, pixel map or null) */
static napi_value setPictureMap(napi_env env, napi_callback_info info) {
  napi_value values[3];
  void *picture, *pixelmap;
  int64_t which;
  if (picture_in(env, info, 3, values, &picture) && integer_in(env, values[1], HDR_RENDITION, INT32_MAX, &which) &&
      maybe_handle_in(env, values[2], &pixelmap))
    passed(env, which == HDR_RENDITION ? image_picture_set_hdr_rendition(picture, pixelmap)
                                       : image_picture_set_auxiliary(picture, (ImageAuxiliaryType)which, pixelmap));
  return NULL;
}

static ImageStatus compose(Work *work) {
  return image_picture_create_hdr_pixelmap(work->first, (ImagePixelFormat)work->numbers[0], (float)work->real,
                                           (ImagePixelMap **)&work->out);
}

static napi_value composed(napi_env env, Work *work) { return pixelmap_out(env, work->out); }

/* composeHdr(picture, format, headroom) */
static napi_value composeHdr(napi_env env, napi_callback_info info) {
  napi_value values[3];
  Work work = {.run = compose, .answer = composed};
  if (!picture_in(env, info, 3, values, &work.first) || !integer_in(env, values[1], 0, INT32_MAX, work.numbers) ||
      !real_in(env, values[2], &work.real))
    return NULL;
  return begin(env, &work, false, values, 1);
}

/* The gain map's numbers: two headrooms, then red, green and blue of gainMin, gainMax, gamma and both offsets. */
enum { PARAMS = 17 };

static napi_value gainMapParams(napi_env env, napi_callback_info info) {
  napi_value value, list;
  void *picture;
  float n[PARAMS];
  bool base;
  if (!picture_in(env, info, 1, &value, &picture) ||
      !passed(env, image_picture_get_gain_map_params(picture, n, n + 1, n + 2, n + 5, n + 8, n + 11, n + 14, &base)))
    return NULL;
  napi_create_array_with_length(env, PARAMS + 1, &list);
  for (uint32_t index = 0; index < PARAMS; index++) napi_set_element(env, list, index, number_out(env, n[index]));
  napi_set_element(env, list, PARAMS, number_out(env, base));
  return list;
}

/* setGainMapParams(picture, array of the numbers, useBaseColor) */
static napi_value setGainMapParams(napi_env env, napi_callback_info info) {
  napi_value values[3], value;
  void *picture;
  float n[PARAMS];
  double number;
  bool base;
  if (!picture_in(env, info, 3, values, &picture) || !flag_in(env, values[2], &base)) return NULL;
  for (uint32_t index = 0; index < PARAMS; index++) {
    if (napi_get_element(env, values[1], index, &value) != napi_ok || !real_in(env, value, &number)) return NULL;
    n[index] = (float)number;
  }
  passed(env, image_picture_set_gain_map_params(picture, n[0], n[1], n + 2, n + 5, n + 8, n + 11, n + 14, base));
  return NULL;
}

/* ---- metadata ---- */

/* getMetadata(picture, type) is an ArrayBuffer or null; setMetadata(picture, type, bytes or null) */
static napi_value getMetadata(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *picture;
  int64_t type;
  ImageData *data = NULL;
  if (!picture_in(env, info, 2, values, &picture) || !integer_in(env, values[1], 0, INT32_MAX, &type) ||
      !passed(env, image_picture_get_metadata(picture, (ImageMetadataType)type, &data)))
    return NULL;
  return data == NULL ? null_of(env) : bytes_out(env, data);
}

static napi_value setMetadata(napi_env env, napi_callback_info info) {
  napi_value values[3];
  void *picture, *bytes;
  size_t size;
  int64_t type;
  if (picture_in(env, info, 3, values, &picture) && integer_in(env, values[1], 0, INT32_MAX, &type) &&
      bytes_in(env, values[2], &bytes, &size))
    passed(env, image_picture_set_metadata(picture, (ImageMetadataType)type, bytes, size));
  return NULL;
}

/* getProperty(picture, number) is a string or null; setProperty(picture, number, text or null) */
static napi_value getProperty(napi_env env, napi_callback_info info) {
  napi_value values[2], text;
  void *picture;
  int64_t property;
  ImageData *data = NULL;
  if (!picture_in(env, info, 2, values, &picture) || !integer_in(env, values[1], 0, INT32_MAX, &property) ||
      !passed(env, image_picture_get_property(picture, (ImageProperty)property, &data)))
    return NULL;
  if (data == NULL) return null_of(env);
  text = text_out(env, (const char *)image_data_bytes(data), image_data_size(data));
  (void)image_data_release(data);
  return text;
}

static napi_value setProperty(napi_env env, napi_callback_info info) {
  napi_value values[3];
  void *picture;
  int64_t property;
  char *text;
  if (!picture_in(env, info, 3, values, &picture) || !integer_in(env, values[1], 0, INT32_MAX, &property) ||
      !text_in(env, values[2], &text))
    return NULL;
  passed(env, image_picture_set_property(picture, (ImageProperty)property, text));
  free(text);
  return NULL;
}

/* getGps(picture) is [latitude, longitude, altitude], NaN where EXIF does not say; setGps(picture, …) takes these */
static napi_value getGps(napi_env env, napi_callback_info info) {
  napi_value value, list;
  void *picture;
  double place[3];
  if (!picture_in(env, info, 1, &value, &picture) ||
      !passed(env, image_picture_get_gps(picture, place, place + 1, place + 2)))
    return NULL;
  napi_create_array_with_length(env, 3, &list);
  for (uint32_t index = 0; index < 3; index++) napi_set_element(env, list, index, number_out(env, place[index]));
  return list;
}

static napi_value setGps(napi_env env, napi_callback_info info) {
  napi_value values[4];
  void *picture;
  double place[3];
  if (picture_in(env, info, 4, values, &picture) && real_in(env, values[1], place) &&
      real_in(env, values[2], place + 1) && real_in(env, values[3], place + 2))
    passed(env, image_picture_set_gps(picture, place[0], place[1], place[2]));
  return NULL;
}

static napi_value removeGps(napi_env env, napi_callback_info info) {
  napi_value value;
  void *picture;
  if (picture_in(env, info, 1, &value, &picture)) passed(env, image_picture_remove_gps(picture));
  return NULL;
}

/* pictureFacts(picture) is [x dpi, y dpi, orientation, provenance] */
static napi_value pictureFacts(napi_env env, napi_callback_info info) {
  napi_value value, list;
  void *picture;
  double density[2];
  uint32_t orientation;
  bool provenance;
  if (!picture_in(env, info, 1, &value, &picture) ||
      !passed(env, image_picture_get_density(picture, density, density + 1)) ||
      !passed(env, image_picture_get_orientation(picture, &orientation)) ||
      !passed(env, image_picture_get_provenance(picture, &provenance)))
    return NULL;
  napi_create_array_with_length(env, 4, &list);
  napi_set_element(env, list, 0, number_out(env, density[0]));
  napi_set_element(env, list, 1, number_out(env, density[1]));
  napi_set_element(env, list, 2, number_out(env, orientation));
  napi_set_element(env, list, 3, number_out(env, provenance));
  return list;
}

static napi_value setDensity(napi_env env, napi_callback_info info) {
  napi_value values[3];
  void *picture;
  double x, y;
  if (picture_in(env, info, 3, values, &picture) && real_in(env, values[1], &x) && real_in(env, values[2], &y))
    passed(env, image_picture_set_density(picture, x, y));
  return NULL;
}

static napi_value setOrientation(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *picture;
  int64_t orientation;
  if (picture_in(env, info, 2, values, &picture) && integer_in(env, values[1], 0, UINT32_MAX, &orientation))
    passed(env, image_picture_set_orientation(picture, (uint32_t)orientation));
  return NULL;
}

const Function picture_functions[] = {
    FUNCTION(createPicture), FUNCTION(releasePicture), FUNCTION(pictureMap),
    FUNCTION(setPictureMap), FUNCTION(composeHdr),     FUNCTION(gainMapParams),
    FUNCTION(getMetadata),   FUNCTION(setMetadata),    FUNCTION(setGainMapParams),
    FUNCTION(getProperty),   FUNCTION(setProperty),    FUNCTION(getGps),
    FUNCTION(setGps),        FUNCTION(removeGps),      FUNCTION(pictureFacts),
    FUNCTION(setDensity),    FUNCTION(setOrientation), {NULL, NULL},
};
