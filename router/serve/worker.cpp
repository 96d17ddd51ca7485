#include "router/serve/worker.hpp"

#include <random>
#include <system_error>

#include <time.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include "router/log/log.hpp"
#include "router/loop/loop_thread.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/single_exchange.hpp"

namespace router {
namespace {

// Of one read, where memory is short.
constexpr std::size_t kReadBytesPressed = 16 << 10;
constexpr std::size_t kSpareBytesMax = 2 << 20;  // of memory that waits for sessions with output

/// Of this thread.
std::chrono::nanoseconds processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

Worker::Worker(std::size_t index, WorkerOptions options, ShardFactory factory,
               std::shared_ptr<Bounds> bounds, WorkerCells* cells, Log& log)
    : index_(index), options_(options), cells_(cells), log_(log),
      loop_(1),  // one thread: Asio leaves its locks out
      keep_running_(loop_.get_executor()), tick_timer_(loop_), wheel_(DeadlineWheel::Clock::now()),
      context_(std::move(bounds)),
      shards_(std::move(factory), loop_, context_.memory, context_.turns),
      arriving_frames_(*context_.bounds, context_.memory, SessionLimits{}.write_stall_max),
      dispatcher_(context_), read_buffer_(options.read_buffer_bytes) {
  context_.wheel = &wheel_;
  context_.cells = cells_;
  context_.random_state = std::random_device{}() | 1u;
  context_.worker = this;
  context_.schedule_retries = [](void* worker) {
    auto* self = static_cast<Worker*>(worker);
    boost::asio::post(self->loop_, [self] { self->run_retries(); });
  };
  context_.turns.schedule_by(
      [](void* worker) {
        auto* self = static_cast<Worker*>(worker);
        boost::asio::post(self->loop_, [self] { self->context_.turns.run(); });
      },
      this);
}

Worker::~Worker() { stop(); }

void Worker::run(Publication first) {
  thread_ = std::thread([this, next = std::move(first)] {
    apply(next);
    tick();
    run_loop(loop_, "worker", log_);
  });
}

void Worker::adopt(boost::asio::ip::tcp protocol, int socket) {
  // Counted here: a worker that is busy may see to it only after many more have been accepted, and
  // the bound on sessions holds for those on their way too.
  session_count_.fetch_add(1, std::memory_order_relaxed);
  boost::asio::post(loop_, [this, protocol, socket] {
    Session::Socket accepted(loop_);
    boost::system::error_code error;
    accepted.assign(protocol, socket, error);
    if (error) {
      ::close(socket);
      session_count_.fetch_sub(1, std::memory_order_relaxed);
      return;
    }
    const std::uint64_t id = (static_cast<std::uint64_t>(index_) << 48) | next_session_++;
    auto session =
        std::make_shared<Session>(std::move(accepted), id, static_cast<SessionHost&>(*this),
                                  dispatcher_, wheel_, session_limits_);
    sessions_.emplace(id, session);
    session->start();
    if (drained_) session->drain();
  });
}

/// Between two requests: one that was planned on the old ring has been submitted to the old ring's
/// shard, one that is read next is planned on the new one. Both may be in flight at once, and each
/// keeps its ring.
void Worker::apply(const Publication& next) {
  const bool gate_changed = context_.ring && context_.ring->snapshot->gate != next.snapshot->gate;
  auto ring = std::make_unique<ActiveRing>();
  ring->snapshot = next.snapshot;
  if (next.warm.empty()) {
    shards_.publish(next.shards);
  } else {
    std::vector<ShardSpec> all = next.shards;
    all.insert(all.end(), next.warm.begin(), next.warm.end());
    shards_.publish(all);
  }
  for (std::size_t i = 0; i < next.shards.size(); ++i) {
    ring->shards.push_back(shards_.shards()[i].shard.get());
    ring->turns.push_back(shards_.shards()[i].turns.get());
  }
  context_.bounds->configure(next.bounds);
  context_.limits = next.dispatch;
  session_limits_ = next.session;
  arriving_frames_.configure(next.session.write_stall_max);
  context_.held.configure(next.hold);
  context_.turns.configure(next.turn_wait_max);
  context_.ring = ActiveRingPointer(ring.release());
  context_.turns.leave_retired();
  if (!gate_changed) return;
  context_.turns.look_at_gate();
  context_.held.let_go();
}

void Worker::publish(std::shared_ptr<const Publication> next, Acknowledge acknowledge) {
  boost::asio::post(loop_, [this, next = std::move(next), acknowledge = std::move(acknowledge)] {
    const auto began = std::chrono::steady_clock::now();
    apply(*next);
    acknowledge(std::chrono::steady_clock::now() - began);
  });
}

void Worker::await_leases(std::shared_ptr<const LeaseScope> scope,
                          std::function<void(LeasesEnded)> done) {
  boost::asio::post(loop_, [this, scope = std::move(scope), done = std::move(done)] {
    const auto waited_for = std::make_shared<std::size_t>(0);
    const auto ended = [this, scope, done, waited_for] {
      // Told once the caller knows how many there were.
      boost::asio::post(loop_, [this, scope, done, waited_for] {
        done({*waited_for, context_.leases.indeterminate(*scope, WriteLeases::Clock::now())});
      });
    };
    *waited_for = context_.leases.await(scope, ended);
  });
}

void Worker::call(std::string payload, LocalCall::Done done) {
  boost::asio::post(loop_, [this, payload = std::move(payload), done = std::move(done)] {
    LocalCall::make(dispatcher_, payload, done);
  });
}

void Worker::count_heat(std::shared_ptr<Heat> heat) {
  boost::asio::post(loop_, [this, heat = std::move(heat)] { context_.heat = heat; });
}

void Worker::status(std::function<void(WorkerStatus)> take) {
  boost::asio::post(loop_, [this, take = std::move(take)] {
    WorkerStatus status;
    status.ended_sessions = ended_sessions_;
    for (const auto& [id, session] : sessions_)
      status.sessions.push_back({id, session->peer(), session->in_flight(), session->counts(),
                                 session->draining(), session->accepted_at()});
    for (const auto& held : shards_.shards())  // those of a ring to come are last
      status.shards.emplace_back(held.spec.pnode, held.shard->status());
    status.published_sequence = context_.ring->snapshot->sequence;
    status.held_writes = context_.held.count();
    status.held_bytes = context_.held.bytes();
    status.waiting_turns = context_.turns.waiting();
    status.write_leases = context_.leases.running();
    status.memory_held = context_.memory.held();
    take(std::move(status));
  });
}

void Worker::reads(std::function<void(WorkerReads)> take) {
  boost::asio::post(loop_, [this, take = std::move(take)] {
    take({context_.ring->snapshot, context_.reads.by_ring()});
  });
}

/// Requests that an old ring was kept alive for may have ended meanwhile.
void Worker::tick() {
  const auto now = std::chrono::steady_clock::now();
  if (const auto due = tick_timer_.expiry(); due <= now)
    lag_.tick(due, now, processor_time(), sessions_.size());
  tick_timer_.expires_after(DeadlineWheel::kTick);
  tick_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    wheel_.advance(DeadlineWheel::Clock::now());
    shards_.collect();
    arriving_frames_.tick(ArrivingFrames::Clock::now());
    idle_readers_.tick();
    context_.turns.tick(Turns::Clock::now(), lag_.usual(),
                        std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch()));
    context_.shrink();
    if (drained_) check_drained();
    tick();
  });
}

std::span<char> Worker::read_buffer() {
  const std::span<char> all(read_buffer_);
  return arriving_frames_.pressed() ? all.first(std::min(all.size(), kReadBytesPressed)) : all;
}

void Worker::lend_buffer(std::string& empty) {
  if (spare_buffers_.empty() || empty.capacity() > std::string().capacity()) return;
  spare_bytes_ -= spare_buffers_.back().capacity();
  empty.swap(spare_buffers_.back());
  spare_buffers_.pop_back();
}

void Worker::take_back_buffer(std::string& used) {
  used.clear();
  if (spare_bytes_ + used.capacity() > kSpareBytesMax) {
    std::string().swap(used);
    return;
  }
  spare_bytes_ += used.capacity();
  spare_buffers_.emplace_back().swap(used);
}

void Worker::wants_flush(std::shared_ptr<Session> session) {
  to_flush_.push_back(std::move(session));
  if (end_of_turn_posted_) return;
  end_of_turn_posted_ = true;
  boost::asio::post(loop_, [this] { end_of_turn(); });
}

void Worker::end_of_turn() {
  end_of_turn_posted_ = false;
  flushing_.swap(to_flush_);
  for (const auto& session : flushing_) session->flush();
  flushing_.clear();
}

void Worker::run_retries() {
  std::vector<SingleExchange*> due;
  due.swap(context_.retries);
  for (SingleExchange* exchange : due) exchange->retry();
}

void Worker::protocol_error(const Session& session, std::string_view reason) {
  if (cells_ != nullptr) cells_->protocol_error(reason);
  log_.warn("protocol error", {{"peer", session.peer()},
                               {"reason", std::string(reason)},
                               {"requests", session.in_flight()},
                               {"bytesWaiting", session.output_waits()}});
}

void Worker::client_lost(const Session& session, std::string_view at, int problem) {
  log_.warn("client lost",
            {{"peer", session.peer()},
             {"at", std::string(at)},
             {"reason", problem == 0 ? "hung up" : std::system_category().message(problem)},
             {"requests", session.in_flight()},
             {"bytesWaiting", session.output_waits()}});
}

void Worker::closed(Session& session) {
  const SessionCounts& counts = session.counts();
  ended_sessions_.started += counts.started;
  ended_sessions_.completed += counts.completed;
  ended_sessions_.protocol_errors += counts.protocol_errors;
  if (sessions_.erase(session.id()) != 0) session_count_.fetch_sub(1, std::memory_order_relaxed);
}

void Worker::drain(std::chrono::milliseconds limit, std::function<void()> done) {
  boost::asio::post(loop_, [this, limit, done = std::move(done)] {
    drained_ = done;
    drain_limit_ = std::chrono::steady_clock::now() + limit;
    std::vector<std::shared_ptr<Session>> all;
    for (const auto& [id, session] : sessions_) all.push_back(session);
    for (const auto& session : all) session->drain();
    check_drained();
  });
}

void Worker::resume() {
  boost::asio::post(loop_, [this] { drained_ = nullptr; });
}

void Worker::check_drained() {
  const bool over_time = std::chrono::steady_clock::now() >= drain_limit_;
  if (!over_time && !(sessions_.empty() && context_.live_exchanges == 0)) return;
  // The callback is told once; the flag stays set so that late connections are drained at once.
  if (const auto done = std::exchange(drained_, [] {})) done();
  drain_limit_ = std::chrono::steady_clock::time_point::max();
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  boost::asio::post(loop_, [this] {
    std::vector<std::shared_ptr<Session>> all;
    for (const auto& [id, session] : sessions_) all.push_back(session);
    for (const auto& session : all) session->close();
    shards_.retire_all();
    keep_running_.reset();
    loop_.stop();
  });
  thread_.join();
}

}  // namespace router
