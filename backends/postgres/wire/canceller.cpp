#include "backends/postgres/wire/canceller.hpp"

#include <string>
#include <utility>

#include <boost/asio/post.hpp>

namespace backends::postgres {

Canceller::Canceller(boost::asio::io_context& loop, Connection::Options options,
                     std::uint64_t& round_trips, std::function<void(int)> unreachable)
    : loop_(loop), options_(std::move(options)), round_trips_(round_trips),
      unreachable_(std::move(unreachable)) {}

/// What waits for the connection finds us gone.
Canceller::~Canceller() {
  lifetime_.end();
  connection_.reset();
}

void Canceller::cancel(int backend) {
  due_.push_back(backend);
  if (connection_ == nullptr)
    connection_ =
        std::make_unique<Connection>(loop_, options_, round_trips_, [this] { changed(); });
}

void Canceller::changed() {
  if (connection_->state() == Connection::State::up) ask();
  if (connection_->state() == Connection::State::closed) give_up();
}

/// The connection is gone, or of no more use.
void Canceller::give_up() {
  connection_.reset();
  for (const int backend : std::exchange(due_, {})) unreachable_(backend);
}

/// Processes that are named while a question is out are in the next one.
Detached Canceller::ask() {
  static const Statement kCancel =
      once("SELECT pg_cancel_backend(each) FROM unnest($1::integer[]) each");
  const Lifetime::Watch watch = lifetime_.watch();
  while (!due_.empty()) {
    std::string list;
    for (const int backend : std::exchange(due_, {}))
      list += (list.empty() ? "{" : ",") + std::to_string(backend);
    const QueryResult result = co_await connection_->run(kCancel, parameters_of(list + "}"));
    if (watch.over()) co_return;
    if (result.error && result.error->lost()) co_return;  // `changed` is told of that
  }
  // By way of the loop: the connection is calling us.
  boost::asio::post(loop_, lifetime_.guard([this] { done(); }));
}

void Canceller::done() {
  if (connection_ == nullptr) return;
  if (!due_.empty() && connection_->state() == Connection::State::up)
    ask();
  else
    give_up();
}

}  // namespace backends::postgres
