/* The module's functions, from all files. */

#include "addon.h"

NAPI_MODULE_INIT() {
  static const Function *const files[] = {
      pixel_functions,  source_functions, picture_functions, option_functions,
      report_functions, pack_functions,   batch_functions,   sequence_functions,
  };
  for (size_t file = 0; file < COUNT(files); file++)
    for (const Function *function = files[file]; function->name != NULL; function++) {
      napi_value value;
      if (napi_create_function(env, function->name, NAPI_AUTO_LENGTH, function->function, NULL, &value) != napi_ok ||
          napi_set_named_property(env, exports, function->name, value) != napi_ok)
        return NULL;
    }
  return exports;
}
