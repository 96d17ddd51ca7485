#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace router {

class Log;

/// Runs a loop until it is stopped or out of work. What a handler throws is told to the log under
/// `whose`, and the loop goes on: one request's fault is not the process's.
void run_loop(boost::asio::io_context& loop, const char* whose, Log& log);

/// A thread with a loop of its own. Handlers run on it one after the other, guarded as by
/// `run_loop`. Made, started and stopped by one thread; `post` is for any.
class LoopThread {
 public:
  /// `whose`: for the log; a literal. `log` outlives this.
  LoopThread(const char* whose, Log& log);
  ~LoopThread();  ///< as `stop`
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  void start();
  /// Returns when the handler that runs has ended; what waits after it is never run. Once.
  void stop();
  /// Returns when the loop has been stopped by one of its handlers.
  void join();

  template <typename Handler>
  void post(Handler handler) {
    boost::asio::post(*loop_, std::move(handler));
  }
  [[nodiscard]] boost::asio::io_context& loop() { return *loop_; }
  /// For callers that may post when this is gone: what is posted then is never run.
  [[nodiscard]] const std::shared_ptr<boost::asio::io_context>& shared_loop() { return loop_; }

 private:
  const char* whose_;
  Log& log_;
  std::shared_ptr<boost::asio::io_context> loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
  std::thread thread_;
};

}  // namespace router
