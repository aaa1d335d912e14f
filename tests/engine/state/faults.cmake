set(dir ${CMAKE_CURRENT_LIST_DIR})
add_library(tests_running_sum STATIC ${dir}/running_sum.cpp)
target_link_libraries(tests_running_sum tern_engine_model tests_support)
property_test(state "tern_engine_serve;tests_running_sum" ${dir}/state_test.cpp ${dir}/stateful_model.cpp)
target_link_libraries(state_property tests_support)
add_dependencies(state_property tern_loopback)
catch_discover_tests(state_property TEST_PREFIX "engine: " PROPERTIES TIMEOUT 300)

property_fault(state "not copied at a hit" scheduler/scheduler_plan.cpp
               "plan.slot_copies.push_back({checkpoint, seq.state_slot});" "{}")
property_fault(state "of rejected drafts kept" scheduler/scheduler.cpp
               "if (rejects) std::swap(entry.sequence->state_slot, entry.backup_slot);" "{}")
property_fault(state "slot leaked at an abort" scheduler/scheduler.cpp
               "return retire(entry, Leave::kAborted);" "entry.sequence->state_slot = kNoSlot; return retire(entry, Leave::kAborted);")
property_fault(state "not reset" tests/engine/state/running_sum.cpp
               "if (a.positions[first] == 0)" "if (false)")
property_fault(state "copies not done" engine/step/model_runner.cpp
               "states_.copy(batch.slot_copies_from[i], batch.slot_copies_to[i], ex_.stream);" "{}")
property_fault(state "copies in the wrong order" engine/step/model_runner.cpp
               "states_.copy(batch.slot_copies_from[i], batch.slot_copies_to[i], ex_.stream);"
               "states_.copy(batch.slot_copies_from[batch.slot_copies_to.size() - 1 - i], batch.slot_copies_to[batch.slot_copies_to.size() - 1 - i], ex_.stream);")
property_fault(state "copied in part" engine/cache/state_cache.cpp
               "* slot_bytes_, slot_bytes_, stream" "* slot_bytes_, slot_bytes_ - 64, stream")
property_fault(state "of two layers in one place" engine/cache/state_cache.cpp
               "{cache.slot_bytes_, slot" "{0, slot")
property_fault(state "of another sequence" engine/step/build_batch.cpp
               "state_slots_.push_back(seq.state_slot)" "state_slots_.push_back(int32_t(state_slots_.size()))")
