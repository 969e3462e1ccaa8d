"""What is told of a job: task log, XCom, link."""
