/* Pixel maps. */

#include "addon.h"

/* What the collector cannot see of a pixel map is told to it: `hint` is its bytes. */
static void drop_pixelmap(napi_env env, void *data, void *hint) {
  int64_t now;
  (void)image_pixelmap_release(data);
  napi_adjust_external_memory(env, -(int64_t)(intptr_t)hint, &now);
}

napi_value pixelmap_out(napi_env env, ImagePixelMap *pixelmap) {
  uint32_t width = 0, height = 0;
  napi_value value;
  int64_t bytes, now;
  (void)image_pixelmap_get_size(pixelmap, &width, &height);
  bytes = (int64_t)width * height * 4;
  if (napi_create_external(env, pixelmap, drop_pixelmap, (void *)(intptr_t)bytes, &value) == napi_ok) {
    napi_adjust_external_memory(env, bytes, &now);
    return value;
  }
  (void)image_pixelmap_release(pixelmap);
  return NULL;
}

/* createPixelMap(bytes, width, height, format, stride) copies: JavaScript may write to its memory at any time. */
static napi_value createPixelMap(napi_env env, napi_callback_info info) {
  napi_value values[5];
  void *bytes;
  size_t size;
  int64_t width, height, format, stride;
  ImagePixelMap *pixelmap;
  if (!arguments(env, info, 5, values) || !bytes_in(env, values[0], &bytes, &size) ||
      !integer_in(env, values[1], 0, UINT32_MAX, &width) || !integer_in(env, values[2], 0, UINT32_MAX, &height) ||
      !integer_in(env, values[3], 0, INT32_MAX, &format) || !integer_in(env, values[4], 0, INT64_C(1) << 53, &stride))
    return NULL;
  return passed(env, image_pixelmap_create_from_copy((uint32_t)width, (uint32_t)height, (ImagePixelFormat)format, bytes,
                                                     size, (size_t)stride, &pixelmap))
             ? pixelmap_out(env, pixelmap)
             : NULL;
}

static napi_value releasePixelMap(napi_env env, napi_callback_info info) {
  napi_value value;
  void *pixelmap;
  if (arguments(env, info, 1, &value) && handle_in(env, value, &pixelmap))
    passed(env, image_pixelmap_release(pixelmap));
  return NULL;
}

static napi_value setAlphaType(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *pixelmap;
  int64_t type;
  if (arguments(env, info, 2, values) && handle_in(env, values[0], &pixelmap) &&
      integer_in(env, values[1], 0, INT32_MAX, &type))
    passed(env, image_pixelmap_set_alpha_type(pixelmap, (ImageAlphaType)type));
  return NULL;
}

/* setColor(pixelmap, primaries, transfer, matrix, fullRange) */
static napi_value setColor(napi_env env, napi_callback_info info) {
  napi_value values[5];
  void *pixelmap;
  int64_t codes[3];
  bool full;
  if (!arguments(env, info, 5, values) || !handle_in(env, values[0], &pixelmap)) return NULL;
  for (size_t index = 0; index < 3; index++)
    if (!integer_in(env, values[index + 1], 0, UINT16_MAX, codes + index)) return NULL;
  if (flag_in(env, values[4], &full))
    passed(env, image_pixelmap_set_cicp(pixelmap, (uint16_t)codes[0], (uint16_t)codes[1], (uint16_t)codes[2], full));
  return NULL;
}

static napi_value setIccProfile(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *pixelmap, *bytes;
  size_t size;
  if (arguments(env, info, 2, values) && handle_in(env, values[0], &pixelmap) &&
      bytes_in(env, values[1], &bytes, &size))
    passed(env, image_pixelmap_set_icc_profile(pixelmap, bytes, size));
  return NULL;
}

/* setLight(pixelmap, brightest pixel, brightest frame average): nits */
static napi_value setLight(napi_env env, napi_callback_info info) {
  napi_value values[3];
  void *pixelmap;
  int64_t cll, fall;
  if (arguments(env, info, 3, values) && handle_in(env, values[0], &pixelmap) &&
      integer_in(env, values[1], 0, UINT16_MAX, &cll) && integer_in(env, values[2], 0, UINT16_MAX, &fall))
    passed(env, image_pixelmap_set_content_light_level(pixelmap, (uint16_t)cll, (uint16_t)fall));
  return NULL;
}

/* setDisplay(pixelmap, six primaries and the white point, largest and smallest luminance), in the library's units */
static napi_value setDisplay(napi_env env, napi_callback_info info) {
  napi_value values[11];
  void *pixelmap;
  uint16_t points[8];
  int64_t number, luminance[2];
  if (!arguments(env, info, 11, values) || !handle_in(env, values[0], &pixelmap)) return NULL;
  for (size_t index = 0; index < 8; index++) {
    if (!integer_in(env, values[1 + index], 0, UINT16_MAX, &number)) return NULL;
    points[index] = (uint16_t)number;
  }
  for (size_t index = 0; index < 2; index++)
    if (!integer_in(env, values[9 + index], 0, UINT32_MAX, luminance + index)) return NULL;
  passed(env, image_pixelmap_set_mastering_display(pixelmap, points, points + 6, (uint32_t)luminance[0],
                                                   (uint32_t)luminance[1]));
  return NULL;
}

/* pixelMapInfo(pixelmap) is [width, height, format, cll, fall, the ten numbers of setDisplay()] */
static napi_value pixelMapInfo(napi_env env, napi_callback_info info) {
  napi_value value, list;
  void *pixelmap;
  uint32_t width, height, brightest, darkest;
  uint16_t cll, fall, points[8];
  ImagePixelFormat format;
  double numbers[15];
  if (!arguments(env, info, 1, &value) || !handle_in(env, value, &pixelmap) ||
      !passed(env, image_pixelmap_get_size(pixelmap, &width, &height)) ||
      !passed(env, image_pixelmap_get_format(pixelmap, &format)) ||
      !passed(env, image_pixelmap_get_content_light_level(pixelmap, &cll, &fall)) ||
      !passed(env, image_pixelmap_get_mastering_display(pixelmap, points, points + 6, &brightest, &darkest)))
    return NULL;
  numbers[0] = width, numbers[1] = height, numbers[2] = format, numbers[3] = cll, numbers[4] = fall;
  for (size_t index = 0; index < 8; index++) numbers[5 + index] = points[index];
  numbers[13] = brightest, numbers[14] = darkest;
  napi_create_array_with_length(env, COUNT(numbers), &list);
  for (uint32_t index = 0; index < COUNT(numbers); index++)
    napi_set_element(env, list, index, number_out(env, numbers[index]));
  return list;
}

/* readPixels(pixelmap, bytes, stride), writePixels(pixelmap, bytes, stride) */
static napi_value move(napi_env env, napi_callback_info info, bool reads) {
  napi_value values[3];
  void *pixelmap, *bytes;
  size_t size;
  int64_t stride;
  if (arguments(env, info, 3, values) && handle_in(env, values[0], &pixelmap) &&
      bytes_in(env, values[1], &bytes, &size) && integer_in(env, values[2], 0, INT64_C(1) << 53, &stride))
    passed(env, reads ? image_pixelmap_read_pixels(pixelmap, bytes, size, (size_t)stride)
                      : image_pixelmap_write_pixels(pixelmap, bytes, size, (size_t)stride));
  return NULL;
}

static napi_value readPixels(napi_env env, napi_callback_info info) { return move(env, info, true); }
static napi_value writePixels(napi_env env, napi_callback_info info) { return move(env, info, false); }

const Function pixel_functions[] = {
    FUNCTION(createPixelMap), FUNCTION(releasePixelMap), FUNCTION(setAlphaType), FUNCTION(setColor),
    FUNCTION(setIccProfile),  FUNCTION(setLight),        FUNCTION(setDisplay),   FUNCTION(pixelMapInfo),
    FUNCTION(readPixels),     FUNCTION(writePixels),     {NULL, NULL},
};
