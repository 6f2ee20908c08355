/* Every internal symbol with external linkage gets the prefix mproc__, so that linking the
 * static library never collides with a program's own names. A test holds the archive against
 * this. */
#ifndef MPROC_NAMES_H
#define MPROC_NAMES_H

/* error.h */
#define error_remember mproc__error_remember

/* killpoint.h */
#define killpoint_reached mproc__killpoint_reached

/* os.h */
#define os_birth_time mproc__os_birth_time
#define os_can_start mproc__os_can_start
#define os_can_attach mproc__os_can_attach
#define os_channel_close mproc__os_channel_close
#define os_channel_open mproc__os_channel_open
#define os_channel_pair mproc__os_channel_pair
#define os_channel_read mproc__os_channel_read
#define os_channel_write mproc__os_channel_write
#define os_code_find mproc__os_code_find
#define os_code_from mproc__os_code_from
#define os_cpu_count mproc__os_cpu_count
#define os_default_method mproc__os_default_method
#define os_entry_claim mproc__os_entry_claim
#define os_entry_is_unclaimed mproc__os_entry_is_unclaimed
#define os_file_create mproc__os_file_create
#define os_file_open mproc__os_file_open
#define os_file_truncate mproc__os_file_truncate
#define os_file_write mproc__os_file_write
#define os_flush_all mproc__os_flush_all
#define os_can_find_lifeline mproc__os_can_find_lifeline
#define os_lifeline_find mproc__os_lifeline_find
#define os_flush_output mproc__os_flush_output
#define os_fork mproc__os_fork
#define os_forkserver_channel mproc__os_forkserver_channel
#define os_forkserver_request mproc__os_forkserver_request
#define os_forkserver_serve mproc__os_forkserver_serve
#define os_futex_wait mproc__os_futex_wait
#define os_futex_wake mproc__os_futex_wake
#define os_getpid mproc__os_getpid
#define os_handle_accept mproc__os_handle_accept
#define os_handle_close mproc__os_handle_close
#define os_handle_copy mproc__os_handle_copy
#define os_handle_offer mproc__os_handle_offer
#define os_handle_withdraw mproc__os_handle_withdraw
#define os_heed_interrupt mproc__os_heed_interrupt
#define os_hold_interrupt mproc__os_hold_interrupt
#define os_ignore_interrupt mproc__os_ignore_interrupt
#define os_lifeline_arm mproc__os_lifeline_arm
#define os_lifeline_close mproc__os_lifeline_close
#define os_lifeline_create mproc__os_lifeline_create
#define os_lifeline_wait mproc__os_lifeline_wait
#define os_memory_limit mproc__os_memory_limit
#define os_memory_used mproc__os_memory_used
#define os_mutex_init mproc__os_mutex_init
#define os_mutex_lock mproc__os_mutex_lock
#define os_mutex_unlock mproc__os_mutex_unlock
#define os_now mproc__os_now
#define os_on_fork mproc__os_on_fork
#define os_pause mproc__os_pause
#define os_process_collect mproc__os_process_collect
#define os_process_close mproc__os_process_close
#define os_process_is_gone mproc__os_process_is_gone
#define os_process_reap mproc__os_process_reap
#define os_process_sentinel mproc__os_process_sentinel
#define os_process_signal mproc__os_process_signal
#define os_process_status mproc__os_process_status
#define os_process_wait mproc__os_process_wait
#define os_random mproc__os_random
#define os_rwlock_init mproc__os_rwlock_init
#define os_rwlock_read mproc__os_rwlock_read
#define os_rwlock_read_end mproc__os_rwlock_read_end
#define os_rwlock_write mproc__os_rwlock_write
#define os_rwlock_write_end mproc__os_rwlock_write_end
#define os_segment_allows mproc__os_segment_allows
#define os_segment_close mproc__os_segment_close
#define os_segment_create mproc__os_segment_create
#define os_segment_keep mproc__os_segment_keep
#define os_segment_longest mproc__os_segment_longest
#define os_segment_open mproc__os_segment_open
#define os_segment_prefix mproc__os_segment_prefix
#define os_segment_sweep mproc__os_segment_sweep
#define os_segment_unlink mproc__os_segment_unlink
#define os_set_interruptible mproc__os_set_interruptible
#define os_shared_close mproc__os_shared_close
#define os_shared_commit mproc__os_shared_commit
#define os_shared_create mproc__os_shared_create
#define os_shared_decommit mproc__os_shared_decommit
#define os_shared_is_committed mproc__os_shared_is_committed
#define os_shared_open mproc__os_shared_open
#define os_signal_init mproc__os_signal_init
#define os_signal_post mproc__os_signal_post
#define os_signal_wait mproc__os_signal_wait
#define os_spawn mproc__os_spawn
#define os_stdin_null mproc__os_stdin_null
#define os_terminal_look mproc__os_terminal_look
#define os_terminal_write mproc__os_terminal_write
#define os_thread_is_alone mproc__os_thread_is_alone
#define os_thread_join mproc__os_thread_join
#define os_thread_start mproc__os_thread_start
#define os_variable mproc__os_variable
#define os_wait_ready mproc__os_wait_ready
#define os_watcher_add mproc__os_watcher_add
#define os_watcher_after_fork mproc__os_watcher_after_fork
#define os_watcher_alarm mproc__os_watcher_alarm
#define os_watcher_create mproc__os_watcher_create
#define os_watcher_free mproc__os_watcher_free
#define os_yield mproc__os_yield
#define os_has_futex mproc__os_has_futex

/* win32/win32.h */
#define win32_after_program mproc__win32_after_program
#define win32_birth_of mproc__win32_birth_of
#define win32_error mproc__win32_error
#define win32_holds_interrupt mproc__win32_holds_interrupt
#define win32_invalid mproc__win32_invalid
#define win32_last_error mproc__win32_last_error
#define win32_process_open mproc__win32_process_open
#define win32_unsupported mproc__win32_unsupported
#define win32_wait mproc__win32_wait
#define win32_wait_any mproc__win32_wait_any

/* posix/posix.h */
#define posix_argv0 mproc__posix_argv0
#define posix_copy mproc__posix_copy
#define posix_ended_fd mproc__posix_ended_fd
#define posix_error mproc__posix_error
#define posix_has_fork_handlers mproc__posix_has_fork_handlers
#define posix_has_ended mproc__posix_has_ended
#define posix_hold_sentinel mproc__posix_hold_sentinel
#define posix_is_interruptible mproc__posix_is_interruptible
#define posix_is_set_id mproc__posix_is_set_id
#define posix_holds_interrupt mproc__posix_holds_interrupt
#define posix_is_own_thread mproc__posix_is_own_thread
#define posix_leave_own_thread mproc__posix_leave_own_thread
#define posix_nap mproc__posix_nap
#define posix_own_path mproc__posix_own_path
#define posix_poll mproc__posix_poll
#define posix_pipe mproc__posix_pipe
#define posix_poll_timeout mproc__posix_poll_timeout
#define posix_process_open mproc__posix_process_open
#define posix_raise mproc__posix_raise
#define posix_raise_both mproc__posix_raise_both
#define posix_run_fork_handlers mproc__posix_run_fork_handlers
#define posix_sentinel_pipe mproc__posix_sentinel_pipe
#define posix_status mproc__posix_status
#define posix_wait_for mproc__posix_wait_for
#define posix_wait_readable mproc__posix_wait_readable

/* posix/segment_file.h */
#define segment_file_inode mproc__segment_file_inode
#define segment_file_is_current mproc__segment_file_is_current
#define segment_file_is_free mproc__segment_file_is_free
#define segment_file_lock mproc__segment_file_lock
#define segment_file_open mproc__segment_file_open
#define segment_file_remove mproc__segment_file_remove
#define segment_file_unlock mproc__segment_file_unlock
#define segment_file_use mproc__segment_file_use

/* progress/line.h */
#define progress_line_format mproc__progress_line_format

/* progress/meter.h */
#define progress_meter_average mproc__progress_meter_average
#define progress_meter_elapsed mproc__progress_meter_elapsed
#define progress_meter_left mproc__progress_meter_left
#define progress_meter_observe mproc__progress_meter_observe
#define progress_meter_rate mproc__progress_meter_rate
#define progress_meter_start mproc__progress_meter_start

/* progress/text.h */
#define progress_text_clean mproc__progress_text_clean
#define progress_text_columns mproc__progress_text_columns
#define progress_text_cut mproc__progress_text_cut

/* family/arena.h */
#define arena_at mproc__arena_at
#define arena_base mproc__arena_base
#define arena_capacity mproc__arena_capacity
#define arena_close mproc__arena_close
#define arena_commit mproc__arena_commit
#define arena_contains mproc__arena_contains
#define arena_counter mproc__arena_counter
#define arena_create mproc__arena_create
#define arena_decommit mproc__arena_decommit
#define arena_is_committed mproc__arena_is_committed
#define arena_handle mproc__arena_handle
#define arena_has_objects mproc__arena_has_objects
#define arena_note_objects mproc__arena_note_objects
#define arena_nonce mproc__arena_nonce
#define arena_offset mproc__arena_offset
#define arena_open mproc__arena_open
#define arena_entry mproc__arena_entry
#define arena_extent mproc__arena_extent
#define arena_table_begin mproc__arena_table_begin
#define arena_use_entry mproc__arena_use_entry
#define arena_use_table mproc__arena_use_table

/* family/slot.h */
#define slot_at mproc__slot_at
#define slot_claim mproc__slot_claim
#define slot_disown mproc__slot_disown
#define slot_each mproc__slot_each
#define slot_enter mproc__slot_enter
#define slot_free mproc__slot_free
#define slot_id_of mproc__slot_id_of
#define slot_has_objects mproc__slot_has_objects
#define slot_has_segments mproc__slot_has_segments
#define slot_is mproc__slot_is
#define slot_ring mproc__slot_ring
#define slot_pid mproc__slot_pid
#define slot_report mproc__slot_report
#define slot_reported mproc__slot_reported
#define slot_use_objects mproc__slot_use_objects
#define slot_use_segments mproc__slot_use_segments

/* family/heap.h */
#define heap_alloc mproc__heap_alloc
#define heap_begin_at mproc__heap_begin_at
#define heap_free mproc__heap_free
#define heap_free_linked mproc__heap_free_linked
#define heap_give mproc__heap_give
#define heap_is_linked mproc__heap_is_linked
#define heap_link mproc__heap_link
#define heap_linked_size mproc__heap_linked_size
#define heap_each_linked mproc__heap_each_linked
#define heap_unlink mproc__heap_unlink
#define heap_owned_size mproc__heap_owned_size
#define heap_sweep mproc__heap_sweep
#define heap_was_used_by mproc__heap_was_used_by
#define heap_used mproc__heap_used

/* family/span.h */
#define span_begin_at mproc__span_begin_at
#define span_free_run mproc__span_free_run
#define span_make_run mproc__span_make_run
#define span_open mproc__span_open
#define span_release mproc__span_release
#define span_stop_closing mproc__span_stop_closing
#define spans mproc__spans

/* family/park.h */
#define park mproc__park
#define park_deadline mproc__park_deadline
#define park_sweep mproc__park_sweep
#define unpark mproc__unpark

/* family/gate.h */
#define gate_close mproc__gate_close
#define gate_enter mproc__gate_enter
#define gate_init mproc__gate_init
#define gate_leave mproc__gate_leave
#define gate_open mproc__gate_open

/* family/holding.h */
#define holding_add mproc__holding_add
#define holding_close mproc__holding_close
#define holding_enter mproc__holding_enter
#define holding_leave mproc__holding_leave
#define holding_receive mproc__holding_receive
#define holdings_after_fork mproc__holdings_after_fork
#define holdings_begin mproc__holdings_begin

/* family/json.h */
#define json_number mproc__json_number
#define json_raw mproc__json_raw
#define json_string mproc__json_string

/* family/log.h */
#define log_in_raw_child mproc__log_in_raw_child
#define log_keep_in mproc__log_keep_in
#define log_complain mproc__log_complain
#define log_get_level mproc__log_get_level
#define log_set_level mproc__log_set_level
#define log_write mproc__log_write

/* family/family.h */
#define family mproc__family
#define family_after_fork mproc__family_after_fork
#define family_enter mproc__family_enter
#define family_is_founded mproc__family_is_founded
#define family_is_member mproc__family_is_member
#define family_attach mproc__family_attach
#define family_take mproc__family_take
#define family_lifeline mproc__family_lifeline
#define family_parent_watch mproc__family_parent_watch
#define family_disown mproc__family_disown
#define family_is_gone mproc__family_is_gone
#define family_is_guarded mproc__family_is_guarded
#define family_share mproc__family_share
#define family_slow_beat mproc__family_slow_beat
#define family_withdraw mproc__family_withdraw
#define family_sweep mproc__family_sweep

/* family/trace.h */
#define trace_after_fork mproc__trace_after_fork
#define trace_begin mproc__trace_begin
#define trace_end mproc__trace_end
#define trace_ended mproc__trace_ended
#define trace_flush mproc__trace_flush
#define trace_in_raw_child mproc__trace_in_raw_child
#define trace_instant mproc__trace_instant
#define trace_is_running mproc__trace_is_running
#define trace_join mproc__trace_join
#define trace_mark mproc__trace_mark
#define trace_span mproc__trace_span
#define trace_starts mproc__trace_starts
#define trace_thread mproc__trace_thread
#define trace_track mproc__trace_track

/* family/trace_file.h */
#define trace_file_append mproc__trace_file_append
#define trace_file_close mproc__trace_file_close
#define trace_file_create mproc__trace_file_create
#define trace_file_end mproc__trace_file_end
#define trace_file_is_open mproc__trace_file_is_open
#define trace_file_life mproc__trace_file_life
#define trace_file_open mproc__trace_file_open

/* family/settings.h */
#define settings_arena_limit mproc__settings_arena_limit
#define settings_arena_size mproc__settings_arena_size
#define settings_trace_path mproc__settings_trace_path

/* data/guarded.h */
#define guarded_acquire mproc__guarded_acquire
#define guarded_copy mproc__guarded_copy
#define guarded_create mproc__guarded_create
#define guarded_look mproc__guarded_look
#define guarded_mark_consistent mproc__guarded_mark_consistent
#define guarded_release mproc__guarded_release

/* data/shared_memory.h */
#define shared_memory_sweep mproc__shared_memory_sweep

/* process/process.h */
#define process_begin mproc__process_begin
#define process_create mproc__process_create
#define process_release mproc__process_release
#define process_retain mproc__process_retain
#define process_identity_of mproc__process_identity_of

/* family/object.h */
#define object_after_fork mproc__object_after_fork
#define object_begin_end mproc__object_begin_end
#define object_end mproc__object_end
#define object_id mproc__object_id
#define object_entrust mproc__object_entrust
#define object_flag mproc__object_flag
#define object_orphan mproc__object_orphan
#define object_beat mproc__object_beat
#define object_next_beat mproc__object_next_beat
#define object_sleep mproc__object_sleep
#define object_make_part mproc__object_make_part
#define object_tag mproc__object_tag
#define object_capacity mproc__object_capacity
#define object_commit mproc__object_commit
#define object_count mproc__object_count
#define object_destroy mproc__object_destroy
#define object_discard mproc__object_discard
#define object_draft_block mproc__object_draft_block
#define object_draft_new mproc__object_draft_new
#define object_each mproc__object_each
#define object_enter mproc__object_enter
#define object_find_slowly mproc__object_find_slowly
#define object_finish mproc__object_finish
#define object_is_ending_by mproc__object_is_ending_by
#define object_is_live mproc__object_is_live
#define object_missing mproc__object_missing
#define object_touch mproc__object_touch
#define object_type_of mproc__object_type_of
#define object_begin_watch mproc__object_begin_watch
#define object_end_watch mproc__object_end_watch
#define object_retire mproc__object_retire
#define object_ring_watchers mproc__object_ring_watchers
#define object_watch mproc__object_watch
#define object_wake mproc__object_wake
#define object_was_touched mproc__object_was_touched
#define objects mproc__objects
#define objects_were_used mproc__objects_were_used

/* family/eventcount.h */
#define eventcount_announce mproc__eventcount_announce
#define eventcount_sleep mproc__eventcount_sleep

/* family/robust.h */
#define robust_acquire_slowly mproc__robust_acquire_slowly
#define robust_acquire_until mproc__robust_acquire_until
#define robust_check_holder mproc__robust_check_holder
#define robust_look_after mproc__robust_look_after
#define robust_mark_consistent mproc__robust_mark_consistent
#define robust_release_slowly mproc__robust_release_slowly
#define robust_resume mproc__robust_resume
#define robust_suspend mproc__robust_suspend
#define robust_sweep mproc__robust_sweep
#define robust_thread mproc__robust_thread

/* family/spin.h */
#define spin_begin mproc__spin_begin
#define spin_end mproc__spin_end
#define spin_prepare mproc__spin_prepare

/* family/waiters.h */
#define waiters_await mproc__waiters_await
#define waiters_close mproc__waiters_close
#define waiters_join mproc__waiters_join
#define waiters_leave mproc__waiters_leave
#define waiters_notify mproc__waiters_notify
#define waiters_sweep mproc__waiters_sweep
#define waiters_wake mproc__waiters_wake

/* sync/members.h */
#define member_belongs mproc__member_belongs
#define member_join mproc__member_join
#define member_leave mproc__member_leave
#define member_look mproc__member_look
#define members_any mproc__members_any
#define members_begin mproc__members_begin
#define members_tidy mproc__members_tidy
#define presence_begin mproc__presence_begin
#define presence_end mproc__presence_end
#define presence_exists mproc__presence_exists

/* sync/sweep.h */
#define barrier_sweep mproc__barrier_sweep
#define event_sweep mproc__event_sweep
#define semaphore_sweep mproc__semaphore_sweep
#define sync_leave mproc__sync_leave
#define sync_sweep mproc__sync_sweep

/* data/bell.h */
#define bell_pass mproc__bell_pass
#define bell_ring_slowly mproc__bell_ring_slowly
#define bell_watch mproc__bell_watch

/* data/ends.h */
#define ends_are_ready mproc__ends_are_ready
#define ends_watch mproc__ends_watch
#define ends_create mproc__ends_create
#define ends_destroy mproc__ends_destroy
#define ends_find mproc__ends_find
#define ends_grow mproc__ends_grow
#define ends_leave mproc__ends_leave
#define ends_lock_slowly mproc__ends_lock_slowly
#define ends_patience mproc__ends_patience
#define ends_sweep mproc__ends_sweep

/* data/ring.h */
#define ring_copy mproc__ring_copy
#define ring_expect mproc__ring_expect
#define ring_expect_room mproc__ring_expect_room
#define ring_need mproc__ring_need
#define ring_read mproc__ring_read
#define ring_write mproc__ring_write
#define ring_write_block mproc__ring_write_block

/* process/children.h */
#define children_add mproc__children_add
#define children_after_fork mproc__children_after_fork
#define children_are_monitored mproc__children_are_monitored
#define children_begin mproc__children_begin
#define children_begin_start mproc__children_begin_start
#define children_cancel_start mproc__children_cancel_start
#define children_end mproc__children_end
#define children_have_orphans mproc__children_have_orphans
#define children_has_ended mproc__children_has_ended
#define children_join mproc__children_join
#define children_list mproc__children_list
#define children_monitor mproc__children_monitor
#define children_sentinel mproc__children_sentinel
#define children_signal mproc__children_signal

/* process/room.h */
#define room_take mproc__room_take
#define room_return mproc__room_return

/* process/orphans.h */
#define orphans_adopt mproc__orphans_adopt
#define orphans_after_fork mproc__orphans_after_fork
#define orphans_exist mproc__orphans_exist
#define orphans_remove mproc__orphans_remove

/* process/forkserver.h */
#define forkserver_after_fork mproc__forkserver_after_fork
#define forkserver_begin mproc__forkserver_begin
#define forkserver_end mproc__forkserver_end
#define forkserver_is_alive mproc__forkserver_is_alive
#define forkserver_serve mproc__forkserver_serve
#define forkserver_start_child mproc__forkserver_start_child

/* process/handover.h */
#define handover_begin mproc__handover_begin
#define handover_check mproc__handover_check
#define handover_end mproc__handover_end

/* process/entry.h */
#define entry_free_record mproc__entry_free_record
#define entry_parse mproc__entry_parse
#define entry_read mproc__entry_read
#define entry_receive mproc__entry_receive
#define entry_record mproc__entry_record
#define entry_spawn mproc__entry_spawn

/* process/child.h */
#define child_run_forked mproc__child_run_forked
#define child_run_spawned mproc__child_run_spawned

/* channel/frame.h */
#define frame_read mproc__frame_read
#define frame_write mproc__frame_write

/* channel/inbox.h */
#define inbox_begin mproc__inbox_begin
#define inbox_drop mproc__inbox_drop
#define inbox_fill mproc__inbox_fill
#define inbox_give mproc__inbox_give
#define inbox_init mproc__inbox_init
#define inbox_is_stocked mproc__inbox_is_stocked
#define inbox_take mproc__inbox_take

/* channel/outbox.h */
#define outbox_clear mproc__outbox_clear
#define outbox_flush mproc__outbox_flush
#define outbox_init mproc__outbox_init
#define outbox_send mproc__outbox_send

/* channel/connection.h */
#define connection_begin_receive mproc__connection_begin_receive
#define connection_end_receive mproc__connection_end_receive
#define connection_enter mproc__connection_enter
#define connection_take_turn mproc__connection_take_turn
#define connection_end_turn mproc__connection_end_turn

/* channel/doorbell.h */
#define doorbell_answer mproc__doorbell_answer
#define doorbell_handle mproc__doorbell_handle

/* pool/ranges.h */
#define range_append mproc__range_append
#define range_claim mproc__range_claim
#define range_cut mproc__range_cut
#define range_make mproc__range_make

/* pool/records.h */
#define records_commit mproc__records_commit
#define records_each mproc__records_each
#define records_free mproc__records_free
#define records_inherit mproc__records_inherit
#define records_reserve mproc__records_reserve

/* pool/job.h */
#define alarm_await mproc__alarm_await
#define alarm_ring mproc__alarm_ring
#define job_after mproc__job_after
#define job_at mproc__job_at
#define job_current mproc__job_current
#define job_find mproc__job_find
#define job_generation mproc__job_generation
#define job_is_published mproc__job_is_published
#define job_is_quiet mproc__job_is_quiet
#define job_is_settled mproc__job_is_settled
#define job_outcomes mproc__job_outcomes
#define job_progress mproc__job_progress
#define job_ring_all mproc__job_ring_all
#define job_ring_pool mproc__job_ring_pool
#define job_ring_thread mproc__job_ring_thread
#define job_ring_watch mproc__job_ring_watch
#define job_ring_workers mproc__job_ring_workers

/* pool/worker.h */
#define worker_main mproc__worker_main

/* pool/task.h */
#define task_leave_copy mproc__task_leave_copy
#define task_prepare mproc__task_prepare
#define task_run_cell mproc__task_run_cell
#define task_run_item mproc__task_run_item

/* pool/pool.h */
#define pool_admits mproc__pool_admits
#define pool_await_workers mproc__pool_await_workers
#define pool_break mproc__pool_break
#define pool_check mproc__pool_check
#define pool_dismiss mproc__pool_dismiss
#define pool_enter mproc__pool_enter
#define pool_grow mproc__pool_grow
#define pool_leave mproc__pool_leave
#define pool_mark_loss mproc__pool_mark_loss
#define helper_start mproc__helper_start
#define helper_stop mproc__helper_stop
#define pool_meet mproc__pool_meet
#define pools_lock mproc__pools_lock
#define pools_unlock mproc__pools_unlock
#define seat_start mproc__seat_start
#define seats_kill mproc__seats_kill

/* pool/work.h */
#define work_discard mproc__work_discard
#define work_find mproc__work_find
#define work_free_retired mproc__work_free_retired
#define work_new mproc__work_new
#define work_publish mproc__work_publish
#define work_retire mproc__work_retire
#define work_suspend mproc__work_suspend
#define work_withdraw mproc__work_withdraw

/* pool/lane.h */
#define lane_await mproc__lane_await
#define lane_bury mproc__lane_bury
#define lane_cancel mproc__lane_cancel
#define lane_fail_all mproc__lane_fail_all
#define lane_free_blocks mproc__lane_free_blocks
#define lane_is_idle mproc__lane_is_idle
#define lane_look mproc__lane_look
#define lane_look_at_all mproc__lane_look_at_all
#define lane_sleep mproc__lane_sleep
#define lane_submit mproc__lane_submit
#define lane_time_out mproc__lane_time_out
#define result_await mproc__result_await
#define result_be_ready mproc__result_be_ready
#define result_check_limits mproc__result_check_limits
#define result_end mproc__result_end
#define result_fail mproc__result_fail
#define result_new mproc__result_new
#define result_owe mproc__result_owe
#define result_release mproc__result_release
#define result_submit mproc__result_submit

/* pool/map.h */
#define layout_job mproc__layout_job
#define map_bury mproc__map_bury
#define map_cancel mproc__map_cancel
#define map_end mproc__map_end
#define map_look mproc__map_look
#define map_report_progress mproc__map_report_progress
#define map_time_out mproc__map_time_out

/* pool/results.h */
#define results_deliver mproc__results_deliver
#define results_describe_end mproc__results_describe_end
#define results_describe_time_out mproc__results_describe_time_out
#define results_empty mproc__results_empty

/* pool/thread.h */
#define thread_is_this mproc__thread_is_this
#define thread_start mproc__thread_start
#define thread_stop mproc__thread_stop

/* pool/watch.h */
#define watch_doom mproc__watch_doom
#define watch_start mproc__watch_start
#define watch_stop mproc__watch_stop

#endif
