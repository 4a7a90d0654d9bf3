# What `cmake --install` and `make install` put under the prefix. Nothing in it names the prefix: it can be moved.

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/image_packer)
foreach(library IN ITEMS libimage_packer.so.${PROJECT_VERSION} libimage_packer.so.${PROJECT_VERSION_MAJOR} libimage_packer.so)
  install(FILES ${staged}/${library} DESTINATION ${CMAKE_INSTALL_LIBDIR}
    PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endforeach()
install(FILES ${image_packer_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/image_packer.h include/image_packer.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE-MIT LICENSE-APACHE THIRD_PARTY_NOTICES.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" prefix_from_pc "${prefix_from_pc}")
list(TRANSFORM image_packer_native_libs PREPEND -l OUTPUT_VARIABLE private_libs)
list(JOIN private_libs " " private_libs)
configure_file(cmake/image_packer.pc.in image_packer.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/image_packer.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(cmake/image_packerConfig.cmake.in image_packerConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/image_packerConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/image_packerConfig.cmake ${PROJECT_BINARY_DIR}/image_packerConfigVersion.cmake
  DESTINATION ${package_dir})
