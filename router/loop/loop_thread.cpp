#include "router/loop/loop_thread.hpp"

#include <exception>

#include "router/log/log.hpp"

namespace router {

void run_loop(boost::asio::io_context& loop, const char* whose, Log& log) {
  for (;;) {
    try {
      loop.run();
      return;
    } catch (const std::exception& error) {
      log.error("an error left a handler; its thread goes on",
                {{"thread", whose}, {"reason", error.what()}});
    } catch (...) {
      log.error("an error left a handler; its thread goes on",
                {{"thread", whose}, {"reason", "no std::exception"}});
    }
  }
}

LoopThread::LoopThread(const char* whose, Log& log)
    : whose_(whose), log_(log), loop_(std::make_shared<boost::asio::io_context>(1)),
      keep_running_(loop_->get_executor()) {}

LoopThread::~LoopThread() { stop(); }

void LoopThread::start() {
  thread_ = std::thread([this] { run_loop(*loop_, whose_, log_); });
}

void LoopThread::stop() {
  loop_->stop();
  join();
}

void LoopThread::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace router
