#include "backends/fake/fake_shard.hpp"

#include <boost/asio/post.hpp>

namespace backends::fake {

/// One request: held back, then handed to the shard behind, whose answer comes back through here.
class FakeShard::Passage final : public ReplySink, public std::enable_shared_from_this<Passage> {
 public:
  Passage(FakeShard& shard, std::uint64_t number, const Request& request, ReplySink& sink,
          Fault fault)
      : shard_(shard), number_(number), request_(request), sink_(&sink), fault_(std::move(fault)),
        timer_(shard.loop_) {
    for (const std::string_view piece : request.pieces) payload_ += piece;
    request_.pieces = {};
  }

  /// A failure: the shard behind refused at once.
  std::optional<Failure> start() {
    if (fault_.hang) return std::nullopt;
    if (fault_.delay.count() == 0 && !fault_.error) return hand_over();
    timer_.expires_after(fault_.delay);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error && !self->over_) self->go_on();
    });
    return std::nullopt;
  }

  /// The sink is not called any more.
  void end() {
    over_ = true;
    timer_.cancel();
  }

  bool cancel() {
    if (!behind_) return true;
    return shard_.behind_->cancel(*behind_);
  }
  void pause() {
    if (behind_) shard_.behind_->pause(*behind_);
  }
  void resume() {
    if (behind_) shard_.behind_->resume(*behind_);
  }

  void on_data(const Reply& reply) override {
    if (over_) return;
    if (fault_.cut_after && frames_++ >= *fault_.cut_after) return cut();
    sink_->on_data(reply);
  }
  void on_end(const Reply& reply) override {
    if (fault_.cut_after && !over_) {
      behind_.reset();
      return cut();
    }
    finish([&](ReplySink& sink) { sink.on_end(reply); });
  }
  void on_error(const Reply& reply) override {
    finish([&](ReplySink& sink) { sink.on_error(reply); });
  }
  void on_failure(const Failure& failure) override {
    finish([&](ReplySink& sink) { sink.on_failure(failure); });
  }

 private:
  void go_on() {
    if (fault_.error)
      return finish([&](ReplySink& sink) {
        sink.on_error({*fault_.error, std::nullopt, fast::Version::v2});
      });
    if (const auto failure = hand_over())
      finish([&](ReplySink& sink) { sink.on_failure(*failure); });
  }

  std::optional<Failure> hand_over() {
    const std::string_view pieces[] = {payload_};
    request_.pieces = pieces;
    const Submitted submitted = shard_.behind_->submit(request_, *this);
    request_.pieces = {};
    behind_ = submitted.ticket;
    return behind_ ? std::nullopt : std::optional(submitted.failure);
  }

  void cut() {
    if (over_) return;
    const auto self = shared_from_this();
    over_ = true;
    // The shard behind may still call: then this is forgotten at its last call.
    if (!behind_ || shard_.behind_->cancel(*behind_)) shard_.forget(number_);
    sink_->on_failure({FailureKind::connection_lost, "unexpected end of transport stream", "{}"});
  }

  template <typename Call>
  void finish(Call call) {
    const auto self = shared_from_this();
    if (over_) {  // what came after a cut
      shard_.forget(number_);
      return;
    }
    over_ = true;
    behind_.reset();
    shard_.forget(number_);
    call(*sink_);
  }

  FakeShard& shard_;
  std::uint64_t number_;
  Request request_;
  std::string payload_;
  ReplySink* sink_;
  Fault fault_;
  boost::asio::steady_timer timer_;
  std::optional<Ticket> behind_;
  std::size_t frames_ = 0;
  bool over_ = false;
};

FakeShard::FakeShard(boost::asio::io_context& loop, std::unique_ptr<Shard> behind, Script script)
    : loop_(loop), behind_(std::move(behind)), script_(std::move(script)) {}

FakeShard::~FakeShard() {
  behind_.reset();  // it calls no sink any more
  for (const auto& [number, passage] : passages_) passage->end();
}

Submitted FakeShard::submit(const Request& request, ReplySink& sink) {
  if (retired_) return {std::nullopt, {FailureKind::no_connections, "the shard is retired", "{}"}};
  const std::optional<Fault> fault = script_ ? script_(request) : std::nullopt;
  if (fault && fault->refuse) return {std::nullopt, *fault->refuse};
  const std::uint64_t number = next_number_++;
  auto passage = std::make_shared<Passage>(*this, number, request, sink, fault.value_or(Fault{}));
  passages_.emplace(number, passage);
  if (auto refusal = passage->start()) {
    passages_.erase(number);
    return {std::nullopt, *std::move(refusal)};
  }
  return {Ticket{number}, {}};
}

void FakeShard::forget(std::uint64_t number) { passages_.erase(number); }

bool FakeShard::cancel(Ticket ticket) {
  const auto found = passages_.find(ticket.number);
  if (found == passages_.end() || !found->second->cancel()) return false;
  found->second->end();
  passages_.erase(found);
  return true;
}

void FakeShard::pause(Ticket ticket) {
  if (const auto found = passages_.find(ticket.number); found != passages_.end())
    found->second->pause();
}

void FakeShard::resume(Ticket ticket) {
  if (const auto found = passages_.find(ticket.number); found != passages_.end())
    found->second->resume();
}

void FakeShard::retire() {
  retired_ = true;
  if (passages_.empty()) behind_->retire();
}

bool FakeShard::idle() const {
  if (!retired_ || !passages_.empty()) return false;
  behind_->retire();
  return behind_->idle();
}

ShardStatus FakeShard::status() const {
  ShardStatus status = behind_->status();
  status.healthy = healthy();
  status.in_flight = passages_.size();
  return status;
}

}  // namespace backends::fake
