set(dir ${CMAKE_CURRENT_LIST_DIR})
property_test(interleavings tern_server_http ${dir}/interleavings_test.cpp ${dir}/world.cpp ${dir}/clients.cpp
              ${dir}/watched_engine.cpp ${dir}/shadow_runner.cpp ${dir}/drafting.cpp)
catch_discover_tests(interleavings_property TEST_PREFIX "server: " PROPERTIES TIMEOUT 300)

property_fault(interleavings "place in the queue kept" engine/serve/engine_core.cpp
               "admission_.leave(submission.id)" "{}")
property_fault(interleavings "request id kept" engine/serve/engine_core.cpp
               "live_ids_.erase(submission.request.request_id)" "{}")
property_fault(interleavings "victim not ended" engine/serve/engine_core.cpp
               "if (decision.shed)" "if (decision.shed && id == 0)")
property_fault(interleavings "end of a pause kept" engine/step/request_book.cpp
               "if (request.paused_until) pauses_.erase" "if (false) pauses_.erase")
property_fault(interleavings "deadline of a whole answer kept" engine/step/request_book.cpp
               "if (submission.request.deadline)"
               "if (submission.request.deadline && !answer->is_admitted)")
property_fault(interleavings "held answers not ended" engine/step/engine_loop.cpp
               "= request->num_answers()"
               "= request->holds_answers ? 1 : request->num_answers()")
property_fault(interleavings "second terminal event" engine/step/engine_loop.cpp
               "  submission.sink->on_event(std::move(event))"
               "submission.sink->on_event(event), submission.sink->on_event(std::move(event))")
property_fault(interleavings "resume lost" server/api/event_queue.cpp "call_.resume()" "{}")
property_fault(interleavings "request without a client" server/http/answers.cpp
               "sink->call().cancel()" "sink->call()")
property_fault(interleavings "rejected draft published" scheduler/scheduler.cpp
               "publish_full_blocks(entry, seq.num_computed_tokens);"
               "publish_full_blocks(entry, std::min({seq.num_computed_tokens + num_rejected, seq.num_tokens(), int32_t(seq.block_table.size()) * config.block_size}));")
property_fault(interleavings "block of a rejected draft lost" scheduler/scheduler.cpp
               "blocks.free(seq.block_table.back());" "{}")
property_fault(interleavings "draft computed for a known token" engine/step/build_batch.cpp
               "seq.token_at(position)"
               "(position < seq.num_tokens() - 1 || seq.demand.draft_token_ids.empty() ? seq.token_at(position) : seq.demand.draft_token_ids[0])")
property_fault(interleavings "slot not restored after a prefix hit" scheduler/scheduler_plan.cpp
               "plan.slot_copies.push_back({checkpoint, seq.state_slot});" "{}")
property_fault(interleavings "hit beyond the last checkpoint" scheduler/scheduler_plan.cpp
               "slots.checkpoint_of(matched.back()) == kNoSlot) matched.pop_back();" "false) {}")
property_fault(interleavings "state of rejected drafts kept" scheduler/scheduler.cpp
               "if (rejects) std::swap(entry.sequence->state_slot, entry.backup_slot);" "{}")
property_fault(interleavings "checkpoint of an evicted block" scheduler/scheduler_plan.cpp
               "slots.drop_checkpoint(seq.block_table.back());" "{}")
