# Each isa_*.cpp has its own instruction set, and is optimised in every build type: at -O0 the inline
# functions of shared headers would leave it as weak symbols, which the linker may prefer to those that
# every CPU can run (check_isa_symbols.sh).
set(isa_options -O3 -fno-math-errno)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,]*address")
  list(APPEND isa_options -O1)  # checks in every unrolled access: at -O3 g++ takes many minutes a file
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(avx2_options -mavx2 -mfma -mf16c)
  set(avx512_options -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c
                     -mprefer-vector-width=512)
  set(avx512_vnni_options ${avx512_options} -mavx512vnni)
  set(avx512_bf16_options ${avx512_options} -mavx512vnni -mavx512bf16)
  set(amx_options ${avx512_vnni_options} -mamx-tile -mamx-int8)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # its own header: `__m512 __Y = __Y;`
    foreach(isa avx512 avx512_vnni avx512_bf16 amx)
      list(APPEND ${isa}_options -Wno-uninitialized -Wno-maybe-uninitialized)
    endforeach()
  endif()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(neon_options -march=armv8.2-a+dotprod)
endif()
foreach(isa scalar avx2 avx512 avx512_vnni avx512_bf16 amx neon)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/kernels/cpu/isa_${isa}.cpp PROPERTIES
    COMPILE_OPTIONS "${isa_options};${${isa}_options}")
endforeach()

add_test(NAME isa_symbols COMMAND ${CMAKE_SOURCE_DIR}/kernels/cpu/check_isa_symbols.sh
  $<TARGET_FILE:tern_kernels_cpu>)
