# Targets image_packer::image_packer (shared) and image_packer::image_packer_static, made by cargo.

find_program(CARGO cargo HINTS $ENV{HOME}/.cargo/bin REQUIRED)

if(DEFINED ENV{CARGO_TARGET_DIR})
  set(cargo_target $ENV{CARGO_TARGET_DIR})
else()
  set(cargo_target ${PROJECT_SOURCE_DIR}/target)
endif()
set(cargo_profile_dir ${IMAGE_PACKER_PROFILE})
if(IMAGE_PACKER_PROFILE STREQUAL dev)
  set(cargo_profile_dir debug)
endif()
separate_arguments(cargo_flags UNIX_COMMAND "${IMAGE_PACKER_CARGO_FLAGS}")

if(IMAGE_PACKER_SANITIZE)
  # Rust's and the C codecs' code carry ASan, the C codecs' UBSan too; gcc's runtime serves both. Its own target
  # directory: other flags would rebuild everything at each change between the two.
  execute_process(COMMAND rustc -vV OUTPUT_VARIABLE rustc_version)
  string(REGEX MATCH "host: ([^\n]+)" _ "${rustc_version}")
  set(cargo_target ${PROJECT_BINARY_DIR}/cargo)
  set(cargo_profile_dir ${CMAKE_MATCH_1}/${IMAGE_PACKER_PROFILE})
  list(APPEND cargo_flags --target ${CMAKE_MATCH_1})
  set(ubsan "-fsanitize=undefined -fno-sanitize-recover=undefined -fno-sanitize=vptr,function")
  set(cargo_env RUSTC_BOOTSTRAP=1 "RUSTFLAGS=-Zsanitizer=address -Clink-arg=-lubsan" "CFLAGS=-fsanitize=undefined -fno-sanitize-recover=undefined")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

set(staged ${PROJECT_BINARY_DIR}/lib)
set(image_packer_shared ${staged}/libimage_packer.so.${PROJECT_VERSION})
set(image_packer_archive ${staged}/libimage_packer.a)
add_custom_target(image_packer_cargo ALL
  COMMAND ${CMAKE_COMMAND} -E env ${cargo_env} CARGO_TARGET_DIR=${cargo_target}
          ${CARGO} build --lib --profile ${IMAGE_PACKER_PROFILE} ${cargo_flags}
  COMMAND sh ${PROJECT_SOURCE_DIR}/cmake/stage.sh
          ${cargo_target}/${cargo_profile_dir} ${staged} ${PROJECT_VERSION} ${PROJECT_SOURCE_DIR}/abi/symbols.txt
  BYPRODUCTS ${image_packer_shared} ${image_packer_archive}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  USES_TERMINAL
  VERBATIM
  COMMENT "cargo build (profile ${IMAGE_PACKER_PROFILE})")

file(MAKE_DIRECTORY ${staged})
add_library(image_packer SHARED IMPORTED GLOBAL)
set_target_properties(image_packer PROPERTIES
  IMPORTED_LOCATION ${image_packer_shared}
  IMPORTED_SONAME libimage_packer.so.${PROJECT_VERSION_MAJOR}
  INTERFACE_INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/include)
add_dependencies(image_packer image_packer_cargo)
add_library(image_packer::image_packer ALIAS image_packer)

# What a static Rust library asks of its host; as rustc --print native-static-libs says.
set(image_packer_native_libs gcc_s util rt pthread m dl c)
add_library(image_packer_static STATIC IMPORTED GLOBAL)
set_target_properties(image_packer_static PROPERTIES
  IMPORTED_LOCATION ${image_packer_archive}
  INTERFACE_LINK_LIBRARIES "${image_packer_native_libs}"
  INTERFACE_LINK_OPTIONS -Wl,--gc-sections
  INTERFACE_INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/include)
add_dependencies(image_packer_static image_packer_cargo)
add_library(image_packer::image_packer_static ALIAS image_packer_static)
